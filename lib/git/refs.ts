// The commit that a branch or a tag of a git repository points at now.
import { PlatformError } from "../errors";
import { defaultLimits } from "../oci/limits";
import { retrying } from "../oci/retry";
import { commitMissing, gitFailure } from "./failures";
import { type GitOptions, git } from "./run";
import { requireGitUrl } from "./url";

/**
 * The whole hash of the commit that `ref` (a branch, a tag, `HEAD`, `refs/…` or the beginning of a hash that a branch or tag has)
 * points at; a tag object is followed. Errors: `git-ref-ambiguous`, `git-commit-missing`, and those of `gitFailure`.
 */
export async function resolveRef(
  url: string,
  ref: string,
  options: Pick<GitOptions, "signal" | "timeout" | "idleSeconds"> = {},
): Promise<string> {
  requireGitUrl(url);
  const limits = { ...defaultLimits, attempts: 3 };
  const listed = await retrying(
    async () => {
      const result = await git(["ls-remote", "--quiet", "--", url], { ...options, maxOutput: 64 * 1024 * 1024 });
      if (result.code !== 0) throw gitFailure(result, { url, ref });
      return result.stdout.toString("utf8");
    },
    { limits, signal: options.signal },
  );
  const commits = new Map(
    [...listed.matchAll(/^([0-9a-f]{40,64})\t(\S+)$/gm)].map(([, commit, name]) => [name!, commit!]),
  );
  const at = (name: string) => commits.get(`${name}^{}`) ?? commits.get(name);
  const exact = [ref, `refs/heads/${ref}`, `refs/tags/${ref}`].filter((name) => at(name) !== undefined);
  const found = exact.length > 0 ? exact : abbreviated(commits, ref);
  const distinct = [...new Set(found.map((name) => at(name)!))];
  if (distinct.length === 1) return distinct[0]!;
  if (distinct.length === 0) throw commitMissing(url, ref);
  throw new PlatformError("git-ref-ambiguous", {
    what: `${ref} is ${found.slice(0, 5).join(" and ")} of ${url}, and they are different commits`,
    rule: "a pin is one commit",
    fix: `name the one that is meant: ${found[0]}`,
  });
}

/** A part of a hash that is long enough to be one on purpose. */
function abbreviated(commits: ReadonlyMap<string, string>, ref: string): string[] {
  if (!/^[0-9a-f]{7,63}$/.test(ref)) return [];
  return [...commits].filter(([, commit]) => commit.startsWith(ref)).map(([name]) => name);
}
