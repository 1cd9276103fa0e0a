// stand-in: what Docker Hub and GitHub's registry answer where they differ from a plain registry, in front of a real one.
// Docker Hub: two levels, tokens by repository, a refusal for a repository that is not there, no mounts. GitHub: 403 to nobody, 404 to those logged in.
import type { ScriptedAnswer, ScriptedServer } from "./scriptedServer";
import { startScriptedServer } from "./scriptedServer";

/** Docker Hub's words for more than one pull too many. */
const limited = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading";

export interface StandInHub extends ScriptedServer {
  /** Seconds of `Retry-After` with which the next manifests are refused; 0: they are not. */
  retryAfter: number;
}

export interface StandInGithub extends ScriptedServer {
  /** Next requests for manifests that come too soon after the ones before. */
  tooSoon: number;
}

const login = `Basic ${Buffer.from("acme:canary-token").toString("base64")}`;
const refusal = (status: number, code: string, message: string): ScriptedAnswer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ errors: [{ code, message }] }),
});

/** In front of `registry` (`host:port`); the account is `acme` with the token `canary-token`, the namespace `acme`. */
export async function startStandInHub(registry: string): Promise<StandInHub> {
  const state = { retryAfter: 0 };
  const isThere = holds(registry);
  const hub: ScriptedServer = await startScriptedServer(
    async ({ method, path, headers }) => {
      const url = new URL(path, `http://${hub.host}`);
      if (url.pathname === "/token" && method === "POST") return { status: 405 }; // the engine then asks by GET
      if (url.pathname === "/token") {
        const asked = url.searchParams.getAll("scope").flatMap((scope) => scope.split(" "));
        return { body: JSON.stringify({ token: await granted(asked, headers.authorization === login, isThere) }) };
      }
      const repository = /^\/v2\/(.+?)\/(?:manifests|blobs|tags)\//.exec(url.pathname)?.[1];
      const writes = method !== "GET" && method !== "HEAD";
      const scope = repository ? `repository:${repository}:${writes ? "pull,push" : "pull"}` : "";
      const challenge = `Bearer realm="http://${hub.host}/token",service="registry.docker.io",scope="${scope}"`;
      const rights = headers.authorization?.replace("Bearer ", "").split("|");
      if (rights === undefined)
        return {
          ...refusal(401, "UNAUTHORIZED", "authentication required"),
          headers: { "www-authenticate": challenge },
        };
      const right = repository && rights.find((one) => one.startsWith(`${repository}=`));
      if (repository && !right?.endsWith(writes ? "push" : right.endsWith("push") ? "push" : "pull"))
        return {
          ...refusal(401, "UNAUTHORIZED", "authentication required"),
          headers: { "www-authenticate": `${challenge},error="insufficient_scope"` },
        };
      if (state.retryAfter > 0 && url.pathname.includes("/manifests/"))
        return { ...refusal(429, "TOOMANYREQUESTS", limited), headers: { "retry-after": String(state.retryAfter) } };
      if (url.searchParams.has("mount")) return startUpload(registry, repository!);
      return "forward";
    },
    { forwardTo: registry, keepBodies: false },
  );
  return Object.assign(state, hub);
}

/** Whether the registry behind has anything of a repository; without a tag it denies that in a tag list. */
function holds(registry: string): (path: string) => Promise<boolean> {
  return async (path) => {
    const answer = await fetch(`http://${registry}/v2/_catalog?n=1000`);
    return ((await answer.json()) as { repositories: string[] }).repositories.includes(path);
  };
}

/** Docker Hub grants what it can and says nothing of the rest: a token may allow nothing at all. */
async function granted(
  scopes: readonly string[],
  isKnown: boolean,
  isThere: (path: string) => Promise<boolean>,
): Promise<string> {
  const rights = scopes.map(async (scope) => {
    const [, path = "", actions = ""] = /^repository:(.+):([a-z,]+)$/.exec(scope) ?? [];
    if (path.split("/").length !== 2) return "";
    const owns = isKnown && path.startsWith("acme/");
    if (actions.includes("push") && owns) return `${path}=push`;
    return (await isThere(path)) ? `${path}=pull` : "";
  });
  return (await Promise.all(rights)).filter(Boolean).join("|").replace(/^/, "canary-bearer|");
}

/** A mount is answered by an upload of its own. */
async function startUpload(registry: string, repository: string): Promise<ScriptedAnswer> {
  const answer = await fetch(`http://${registry}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const { pathname, search } = new URL(answer.headers.get("location")!, `http://${registry}`);
  return { status: answer.status, headers: { location: `${pathname}${search}` } };
}

/** GitHub's registry: the login is the token; what is not there is 404 to who is logged in and a refused token to nobody. */
export async function startStandInGithub(registry: string): Promise<StandInGithub> {
  const state = { tooSoon: 0 };
  const isThere = holds(registry);
  const github: ScriptedServer = await startScriptedServer(
    async ({ path, headers, method }) => {
      const url = new URL(path, `http://${github.host}`);
      if (url.pathname === "/token") {
        if (headers.authorization === login) return { body: '{"token":"known"}' };
        return refusal(403, "DENIED", "requested access to the resource is denied");
      }
      if (headers.authorization !== "Bearer known") {
        const challenge = `Bearer realm="http://${github.host}/token",service="ghcr.io",scope="repository:user/image:pull"`;
        return {
          ...refusal(401, "UNAUTHORIZED", "authentication required"),
          headers: { "www-authenticate": challenge },
        };
      }
      // The wait stands in the words, in a unit of their own; one request too many in a minute is over at once.
      if (url.pathname.includes("/manifests/") && state.tooSoon-- > 0)
        return refusal(429, "TOOMANYREQUESTS", "retry-after: 880.092µs, allowed: 44000/minute");
      const repository = /^\/v2\/(.+?)\/(?:manifests|blobs|tags)\//.exec(url.pathname)?.[1] ?? "";
      if (repository.startsWith("acme/")) return "forward";
      if (method !== "GET" && method !== "HEAD")
        return refusal(403, "DENIED", "installation not allowed to Create organization package");
      return (await isThere(repository))
        ? refusal(403, "DENIED", "permission_denied: read_package")
        : refusal(404, "NAME_UNKNOWN", "repository name not known to registry");
    },
    { forwardTo: registry, keepBodies: false },
  );
  return Object.assign(state, github);
}
