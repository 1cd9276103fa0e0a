// What git's own words mean to a person: one error code for each kind, and which of them are worth another try.
import { diskFull, saysDiskFull } from "../diskFull";
import { PlatformError } from "../errors";
import { transient } from "../oci/failures";
import { printable } from "../printable";
import type { GitResult } from "./run";

/** What was asked of whom. */
export interface Asked {
  readonly url: string;
  /** Commit, branch or tag. */
  readonly ref: string;
}

const askedFor =
  /could not read (Username|Password)|Authentication failed|terminal prompts disabled|Permission denied|Host key verification failed|HTTP Basic: Access denied|returned error: 40[13]\b|Invalid username or (password|token)/i;
const redirected = /returned error: 30\d\b|unable to update url base from redirection/i;
const noRepository =
  /repository .*not found|not found$|does not appear to be a git repository|returned error: 404|no such repository/im;
const noCommit = /not our ref|couldn't find remote ref|remote did not send all necessary objects|upload-pack: not our/i;
const notReached =
  /Could not resolve host|Failed to connect|Connection (refused|reset|timed out|closed)|unable to access|the remote end hung up|early EOF|Operation too slow|Empty reply|RPC failed|returned error: (408|429|5\d\d)|expected flush|unexpected disconnect/i;
const broken =
  /bad pack|pack has bad|inflate|index-pack (died|abort|failed)|invalid index-pack|corrupt|did not receive expected object|bad object|protocol error|bad line length|invalid pkt|expected .*packfile/i;

/** True where a server names what it has and gives nothing else: then all its branches are asked for. */
export function refusesHashes({ stderr }: GitResult): boolean {
  return /unadvertised object|server does not support (shallow|filter)/i.test(stderr);
}

/** The error of a git command that spoke to a server and failed. */
export function gitFailure(
  result: GitResult,
  { url, ref }: Asked,
  bounds: { readonly bytes?: number } = {},
): PlatformError {
  const { stderr, stopped } = result;
  const said = saidBy(stderr);
  if (stopped === "watch") return tooLarge(url, ref, bounds.bytes ?? 0);
  if (stopped === "timeout" || /Operation too slow/i.test(stderr)) {
    return problem(
      "git-slow",
      `git repository ${url} did not answer in time`,
      "a fetch stands still for a minute at most, and takes ten at most",
      "run again later, or take the repository from a mirror that is nearer",
    );
  }
  if (saysDiskFull(stderr)) return diskFull("the cache of git repositories");
  if (askedFor.test(stderr)) {
    return problem(
      "git-unauthorized",
      `git repository ${url} asks for credentials, and git has none that it takes (${said})`,
      "credentials are git's own business: nothing here asks for them or keeps them",
      `set up a git credential helper, ~/.netrc or an ssh key that the agent holds, then try it: git ls-remote ${url}`,
    );
  }
  if (redirected.test(stderr)) {
    return problem(
      "git-redirected",
      `git repository ${url} is somewhere else by now: its server redirects (${said})`,
      "no redirect is followed: it could lead to a host that nobody named, with the credentials for it",
      "name the address that it leads to (some servers want .git at its end)",
    );
  }
  if (noCommit.test(stderr)) return commitMissing(url, ref);
  if (noRepository.test(stderr)) {
    return problem(
      "git-repository-missing",
      `there is no git repository ${url}, or none for these credentials (${said})`,
      "a policy repository is cloned from where its URL says",
      `correct the URL, then try it: git ls-remote ${url}`,
    );
  }
  if (broken.test(stderr)) return wrongContent(url, ref, said);
  const failure = problem(
    notReached.test(stderr) ? "git-unavailable" : "git-failed",
    `git repository ${url} could not be fetched: ${said}`,
    "a commit that is not in the cache is fetched from its server",
    `try it: git ls-remote ${url}`,
  );
  return failure.code === "git-unavailable" ? transient(failure) : failure;
}

/** `git-commit-missing`. */
export function commitMissing(url: string, ref: string): PlatformError {
  return problem(
    "git-commit-missing",
    `git repository ${url} has no ${/^[0-9a-f]{40,64}$/.test(ref) ? "commit" : "branch, tag or commit"} ${printable(ref, 100)}`,
    "a pinned commit must stay on its server: a rewritten branch may have dropped it",
    "push that commit again, or pin another one: policy-platform pin NAME BRANCH",
  );
}

/** `git-content-wrong`: what came is not what the commit's hash says. */
export function wrongContent(url: string, ref: string, why: string): PlatformError {
  return problem(
    "git-content-wrong",
    `git repository ${url} gave other content than that of commit ${ref}: ${printable(why)}`,
    "every object is held to its hash, from the commit down",
    "do not use this server until it is known why; nothing of what it gave was kept",
  );
}

/** `git-too-large`. */
export function tooLarge(url: string, ref: string, bytes: number): PlatformError {
  return problem(
    "git-too-large",
    `git repository ${url} has more than ${Math.round(bytes / 2 ** 20)} MiB at ${ref}: the fetch was ended`,
    "a policy repository is small",
    "name the folder of the policies with the key path: then the rest is not fetched",
  );
}

/** git's last word, without its own advice. */
function saidBy(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => /^(fatal|error|remote): /.test(line));
  return printable(
    lines.at(-1)?.replace(/^(fatal|error|remote): /, "") ?? (stderr.trim().split("\n").at(-1) || "no reason given"),
  );
}

function problem(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
