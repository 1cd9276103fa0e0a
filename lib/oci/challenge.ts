// `WWW-Authenticate` headers (RFC 9110, 11.6.1) and the scopes of token authentication.

/** One challenge; parameter names are in lower case. */
export interface Challenge {
  /** `basic`, `bearer` or whatever else was offered, in lower case. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const tokenText = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(
  `^\\s*(${tokenText})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${tokenText}))\\s*(?:,|$)`,
);
const schemePattern = new RegExp(`^[\\s,]*(${tokenText})(?:\\s+|\\s*(?:,|$))`);
/** No honest header is longer. */
const maxHeaderLength = 8192;

/** All challenges of a header, in order. What cannot be read ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header.slice(0, maxHeaderLength);
  for (let scheme = schemePattern.exec(rest); scheme !== null; scheme = schemePattern.exec(rest)) {
    rest = rest.slice(scheme[0].length);
    const parameters: Record<string, string> = {};
    for (let found = parameterPattern.exec(rest); found !== null; found = parameterPattern.exec(rest)) {
      parameters[found[1]!.toLowerCase()] = found[2]?.replace(/\\(.)/g, "$1") ?? found[3]!;
      rest = rest.slice(found[0].length);
    }
    challenges.push({ scheme: scheme[1]!.toLowerCase(), parameters });
  }
  return challenges;
}

/** `repository:<path>:pull` or `…:pull,push`. */
export function repositoryScope(path: string, access: "pull" | "push"): string {
  return `repository:${path}:${access === "pull" ? "pull" : "pull,push"}`;
}

/** Scopes of one resource become one, its actions and all scopes sorted: the same rights always give the same text. */
export function mergeScopes(scopes: readonly string[]): string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const colon = scope.lastIndexOf(":");
    const resource = scope.slice(0, colon);
    const set = actions.get(resource) ?? new Set();
    for (const action of scope.slice(colon + 1).split(",")) set.add(action);
    actions.set(resource, set);
  }
  return [...actions].map(([resource, set]) => `${resource}:${[...set].sort().join(",")}`).sort();
}
