// The git of the project's own checkout, and what it knows of the commits of releases.
import { type ExecResult, exec } from "../exec";

/**
 * Runs one command; undefined where git is not installed. Containers often run as another user than the checkout's owner:
 * safe.directory lets git read it all the same; it is the project whose program is running already. Nothing that a configuration
 * could hook into the commands is left on.
 */
export async function projectGit(
  cwd: string,
  args: readonly string[],
  { input, env }: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<ExecResult | undefined> {
  const settings = ["safe.directory=*", "log.showSignature=false", "core.fsmonitor=false"].flatMap((one) => [
    "-c",
    one,
  ]);
  try {
    return await exec("git", ["--no-pager", "--literal-pathspecs", ...settings, ...args], {
      cwd,
      env: { GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C", ...env },
      ...(input !== undefined && { input }),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Those of `commits` (12 hexadecimal characters or more, each with or without `-…` behind them) that the checkout in `projectDir`
 * holds, newest first by the date of the commit. None where there is no git or no checkout; nothing is fetched.
 */
export async function knownCommits(projectDir: string, commits: readonly string[]): Promise<string[]> {
  const offline = { env: { GIT_NO_LAZY_FETCH: "1" } };
  const names = commits.map((commit) => commit.split("-")[0]!);
  const format = "--batch-check=%(objectname) %(objecttype)";
  const asked = { ...offline, input: names.map((name) => `${name}\n`).join("") };
  const found = await projectGit(projectDir, ["cat-file", format], asked);
  if (found?.code !== 0) return [];
  const held = found.stdout.split("\n").flatMap((line, index) => {
    const [hash, type] = line.split(" ");
    return type === "commit" ? [{ commit: commits[index]!, hash: hash! }] : [];
  });
  const hashes = { ...offline, input: held.map(({ hash }) => `${hash}\n`).join("") };
  const order = await projectGit(projectDir, ["rev-list", "--no-walk=sorted", "--stdin"], hashes);
  if (order?.code !== 0) return [];
  const rank = new Map(order.stdout.split("\n").map((hash, index) => [hash, index]));
  return held.sort((a, b) => rank.get(a.hash)! - rank.get(b.hash)!).map(({ commit }) => commit);
}
