// What a stack's own state holds, asked of the engine as its user would.
import { exec } from "../lib/exec";
import { printable } from "../lib/printable";
import type { Place } from "./place";
import { narrate } from "./screen";

/**
 * The resources in the stack's own state, by URN, asked for at the first call alone; undefined without an engine, and then the
 * registry is believed. `timeout`: milliseconds that the engine has for it.
 */
export function stackState(place: Place, timeout = 60_000): () => Promise<unknown> {
  let resources: Promise<unknown> | undefined;
  return () => (resources ??= readResources(place, timeout));
}

async function readResources({ stack, projectDir }: Place, timeout: number): Promise<unknown> {
  // The very command that its user would type: it sees what it would see in their shell.
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const options = { cwd: projectDir, env, timeout, maxOutput: 512 * 1024 * 1024 };
  const { code, stdout, stderr, timedOut } = await exec(
    "pulumi",
    ["stack", "export", "--stack", stack, "--non-interactive"],
    options,
  ).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return { code: 1, stdout: "", stderr: "no command pulumi", timedOut: false };
  });
  if (code !== 0) {
    const said = printable(stderr.trim().split("\n").at(-1)!) || `pulumi ended with ${code}`;
    const reason = timedOut ? `no answer within ${timeout / 1000} s` : said;
    narrate("doing", `the stack's state was not read (${reason}): the registry alone is believed`);
    return undefined;
  }
  const { deployment } = JSON.parse(stdout) as { deployment?: { resources?: { urn: string }[] } };
  return Object.fromEntries((deployment?.resources ?? []).map((one) => [one.urn, one]));
}
