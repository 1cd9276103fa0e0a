// The commit tag, `sha-…`: the last commit that touched what a release is made of.
import { realpathSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { PlatformError } from "../errors";
import type { ExecResult } from "../exec";
import type { Digest } from "../oci/digest";
import { projectGit } from "./projectGit";

export interface CommitTagOptions {
  /** Folder of Pulumi.yaml. */
  readonly projectDir: string;
  /** Policy folders, absolute or relative to `projectDir`. Those outside its git repository have no commit in it. */
  readonly paths: readonly string[];
  /** The stack file, absolute or relative to `projectDir`; it may be git-ignored or missing. */
  readonly stackFile: string;
  /** The stack's name; `local` releases uncommitted edits, so its tag names the inputs too. */
  readonly stack: string;
  readonly inputDigest: Digest;
  /** A commit that is named instead of asking git. */
  readonly source?: string;
}

/** Where no commit touched any of the paths, the stack that releases uncommitted edits names the current one. */
const localStack = "local";

/**
 * `sha-<first 12 of the commit>`, in stack local `sha-<12>-<first 8 of the input digest>`.
 * Errors: `git-missing` (no git, no repository, no commit), `git-shallow`, `git-uncommitted`, `source-malformed`.
 */
export async function commitTag(options: CommitTagOptions): Promise<string> {
  const { source, stack, inputDigest } = options;
  if (source !== undefined && !/^[0-9a-f]{12,64}$/.test(source)) {
    throw new PlatformError("source-malformed", {
      what: `malformed source ${JSON.stringify(source)}`,
      rule: "source is a commit: 12 to 64 hexadecimal characters in lower case",
      fix: sourceLine(stack),
    });
  }
  const commit = (source ?? (await lastCommit(options))).slice(0, 12);
  return stack === localStack ? `sha-${commit}-${inputDigest.slice("sha256:".length).slice(0, 8)}` : `sha-${commit}`;
}

async function lastCommit({ projectDir, paths, stackFile, stack }: CommitTagOptions): Promise<string> {
  const repository = await git(projectDir, stack, ["rev-parse", "--is-shallow-repository", "--show-toplevel"]);
  if (repository.code !== 0) throw missing(stack, firstLine(repository.stderr));
  const [shallow, top = ""] = repository.stdout.split("\n");
  if (shallow === "true") {
    throw new PlatformError("git-shallow", {
      what: "this git clone is shallow, so the last commit that touched the policies cannot be told",
      rule: "a release is tagged with that commit",
      fix: `git fetch --unshallow (in CI: a checkout with its whole history), or ${sourceLine(stack)}`,
    });
  }
  const inside = [stackFile, ...paths].flatMap((path) => inRepository(top, join(projectDir, path), path));
  const format = ["log", "-1", "--format=%H"];
  const touched = inside.length > 0 ? await git(top, stack, [...format, "--", ...inside]) : undefined;
  if (touched && touched.code !== 0) throw missing(stack, firstLine(touched.stderr));
  const commit = touched?.stdout.trim() || (stack === localStack ? (await git(top, stack, format)).stdout.trim() : "");
  if (commit !== "") return commit;
  if (stack === localStack) throw missing(stack, "there is no commit yet");
  throw new PlatformError("git-uncommitted", {
    what: `no commit touches ${[stackFile, ...paths].join(" or ")}`,
    rule: "a release is tagged with the last commit that touched its stack file or a policy folder",
    fix: `git add and git commit them, or ${sourceLine(stack)}`,
  });
}

/** The path below the repository's top; none for a path outside it, where `git log` would fail. */
function inRepository(top: string, joined: string, path: string): string[] {
  const below = relative(real(top), real(isAbsolute(path) ? path : joined));
  return below === ".." || below.startsWith("../") || isAbsolute(below) ? [] : [below === "" ? "." : below];
}

/** git prints real paths; a path that does not exist yet stays as it is. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** {@link projectGit}, without which no commit can be told. */
async function git(cwd: string, stack: string, args: readonly string[]): Promise<ExecResult> {
  const result = await projectGit(cwd, args);
  if (!result) throw missing(stack, "the command git is not installed");
  return result;
}

function missing(stack: string, why: string): PlatformError {
  return new PlatformError("git-missing", {
    what: `git cannot tell the commit of this release: ${why}`,
    rule: "a release is tagged with the last commit that touched its stack file or a policy folder",
    fix: `run in a git clone, or ${sourceLine(stack)}`,
  });
}

function sourceLine(stack: string): string {
  return `pulumi config set policy-platform:source <commit> --stack ${stack}`;
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
