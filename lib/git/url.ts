// Which addresses git may be given: those that hold no secret, run no program and cannot pass for an option.
import { PlatformError } from "../errors";
import { isLoopback } from "../oci/hosts";
import { quotedAscii } from "../printable";

/** Why an address is refused. */
export interface UrlProblem {
  readonly code: string;
  /** What is wrong with it, without the address: `is not https or ssh`. */
  readonly wrong: string;
  /** The address that is most probably meant. */
  readonly meant?: string;
}

/** One sentence for the reference and for every error; it also says where credentials go. */
export const gitUrlRule =
  "a git repository is an https or ssh URL without a password; git finds credentials in its credential helpers, ~/.netrc or the ssh agent, and they never reach the state";

const host = "(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(?::\\d{1,5})?";
const path = "/(?:[A-Za-z0-9._~+,=@:/-]|%[2-7][0-9A-Fa-f])*";
const remote = new RegExp(`^(https?|ssh)://(?:([^/@]*(?:@[^/@]*)*)@)?(${host})(${path})$`);

/** Undefined for an address that git may be given. */
export function gitUrlProblem(text: string): UrlProblem | undefined {
  if (text.length > 2000) return { code: "url-malformed", wrong: "is longer than 2000 characters" };
  if (new RegExp(`^file://${path}$`).test(text)) return undefined;
  const [, scheme, user, authority, rest] = remote.exec(text) ?? [];
  if (scheme === undefined) return notAnUrl(text);
  const plain = `${authority}${rest}`;
  if (scheme === "ssh") {
    if (user === undefined || /^[A-Za-z0-9._][A-Za-z0-9._-]*$/.test(user)) return undefined;
    const name = /^([A-Za-z0-9._][A-Za-z0-9._-]*):/.exec(user)?.[1] ?? "git";
    return { code: "url-credentials", wrong: "holds a password", meant: `ssh://${name}@${plain}` };
  }
  if (user !== undefined) {
    return { code: "url-credentials", wrong: "holds a user or a password", meant: `${scheme}://${plain}` };
  }
  if (scheme === "https" || isLoopback(authority!)) return undefined;
  return { code: "url-malformed", wrong: "is not https or ssh", meant: `https://${plain}` };
}

/** `git@host:owner/name.git` is how ssh addresses are often written. */
function notAnUrl(text: string): UrlProblem {
  const [, user = "git", server, where] =
    /^(?:([A-Za-z0-9._]+)@)?([A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]+):(?!\/\/)\/*(.+)$/.exec(text) ?? [];
  const meant = server === undefined ? undefined : `ssh://${user}@${server}/${where}`;
  const isUsable = meant !== undefined && gitUrlProblem(meant) === undefined;
  if (/^[a-z+]+:\/\/[^/]*@/i.test(text) || /^https?:\/\/[^?#]*[?#]/i.test(text))
    return { code: "url-credentials", wrong: "holds a user or a password" };
  return { code: "url-malformed", wrong: "is not https or ssh", ...(isUsable && { meant }) };
}

/** Throws `url-credentials` or `url-malformed`; a password never reaches the message. */
export function requireGitUrl(text: string): void {
  const problem = gitUrlProblem(text);
  if (problem === undefined) return;
  const shown = problem.code === "url-credentials" ? "" : ` ${quotedAscii(text.slice(0, 200))}`;
  throw new PlatformError(problem.code, {
    what: `git address${shown} ${problem.wrong}`,
    rule: gitUrlRule,
    fix: `write it as ${problem.meant ?? "https://git.example.com/team/policies.git"}`,
  });
}
