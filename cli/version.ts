// policy-platform version: the last release, the step that the changes since then require and why, and the next version.
import { resolve } from "node:path";
import { fromStackFile } from "../config/load";
import { parseSettings } from "../config/settings";
import { compose } from "../lib/composition";
import { PlatformError } from "../lib/errors";
import { exec } from "../lib/exec";
import { RegistryClient } from "../lib/oci/client";
import { parseRepository } from "../lib/oci/reference";
import { mapRecord } from "../lib/record";
import { type KnownRelease, knownRelease } from "../lib/release/known";
import { preflight } from "../lib/release/preflight";
import { repositoryNames } from "../lib/repositoryNames";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";

export async function version(place: Place, output: Output): Promise<number> {
  const { stack, projectDir, stackFile } = place;
  const { raw } = fromStackFile(stackFile, stack);
  const settings = parseSettings(raw, { stack, projectDir });
  const { registry, image, base, tools, mirrors } = settings;
  const { inputs, folders, unknown } = await compose({
    base: base.image,
    user: image.user,
    tools,
    mirrors,
    policies: mapRecord(settings.policies, (one) => (one.folder ? { folder: resolve(projectDir, one.folder) } : one)),
    mayDownload: false,
  });
  if (!inputs) throw unpinned(unknown, stack);

  const names = repositoryNames(registry);
  const releases = parseRepository(names.releases(image.name));
  narrate("doing", `reading ${names.releases(image.name)}`);
  const client = new RegistryClient({ insecure: registry.insecure ? [releases.registry] : [] });
  const found = await preflight(client, {
    releases,
    layers: (name) => parseRepository(names.policies(name)),
    wanted: settings.version,
    inputs,
    folders,
    stack,
    known: lastOfState(place, names.releases(image.name)),
  });

  const { last, reason, changes } = found;
  const data = {
    stack,
    ...(last && { last: { version: last.version, digest: last.digest } }),
    next: found.version,
    required: changes.required,
    reason,
    changes: changes.entries,
  };
  answer(output, data, [
    `last      ${last ? `${last.version} ${last.digest}` : "no release yet"}`,
    `required  ${changes.required}`,
    `next      ${found.version}`,
    ...changes.entries.map(({ text }) => `  ${text}`),
  ]);
  narrate("done", reason);
  return exitCodes.ok;
}

/** The stack's own state tells a version tag that was moved by hand from a release; without it the registry is believed. */
async function lastOfState({ stack, projectDir }: Place, releases: string): Promise<KnownRelease | undefined> {
  // The very command that its user would type: it sees what it would see in their shell.
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const options = { cwd: projectDir, env, maxOutput: 512 * 1024 * 1024 };
  const { code, stdout, stderr } = await exec(
    "pulumi",
    ["stack", "export", "--stack", stack, "--non-interactive"],
    options,
  ).catch(() => ({ code: 1, stdout: "", stderr: "no command pulumi" }));
  if (code !== 0) {
    narrate(
      "doing",
      `the stack's state was not read (${stderr.trim().split("\n").at(-1)}): the registry alone is believed`,
    );
    return undefined;
  }
  const { deployment } = JSON.parse(stdout) as { deployment?: { resources?: { urn: string }[] } };
  return knownRelease(Object.fromEntries((deployment?.resources ?? []).map((one) => [one.urn, one])), releases);
}

function unpinned(tools: readonly string[], stack: string): PlatformError {
  return new PlatformError("digest-unpinned", {
    what: `the layer image digest of ${tools.join(", ")} is not pinned`,
    rule: "without every digest the next version cannot be known",
    fix: tools.map((tool) => `policy-platform pin ${tool} --stack ${stack}`).join(" && "),
  });
}
