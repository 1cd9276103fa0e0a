// Pulumi.local.yaml and .local/env: made when absent, afterwards only the pins that `npm run local` wrote itself.
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { parse } from "yaml";
import { editedText, holdsSecrets, replaceText, writeEdits } from "../config/stackFile";
import { writeByRename } from "../lib/cache";
import { RegistryClient } from "../lib/oci/client";
import { parseReference } from "../lib/oci/reference";
import { repositoryNames } from "../lib/registry/names";
import { type EnvironmentOptions, renderEnvironmentFile } from "./environment";
import { toolNames } from "./layers/push";
import type { Layout } from "./layout";
import { readMemory, remember } from "./memory";
import { decidePins, type Pins, readPin } from "./pins";
import { whoAnswers } from "./registry";
import type { Step } from "./steps";

const addressPin = "registry.address";
const loopback = /^127\.0\.0\.1:(\d+)$/;
/** Layer pins by path, with the repository that each is pushed to. */
const layerPins: Readonly<Record<string, (address: string) => string>> = {
  "base.image": (address) => repositoryNames({ address, separator: "/" }).base(),
  ...Object.fromEntries(
    toolNames.map((name) => [
      `tools.${name}.image`,
      (address: string) => repositoryNames({ address, separator: "/" }).tool(name),
    ]),
  ),
};

/** The port in the stack file, when its registry is one of this machine's loopback. */
export async function portInStackFile({ stackFile }: Layout): Promise<number | undefined> {
  const text = await readFile(stackFile, "utf8").catch(() => "");
  const port = loopback.exec(readPin(text, addressPin) ?? "")?.[1];
  return port === undefined ? undefined : Number(port);
}

/** The paths of layer pins that this run has to provide: those of the template for a new file, else those that may be ours. */
export async function ownPins(layout: Layout): Promise<ReadonlySet<string>> {
  const text = await readFile(layout.stackFile, "utf8").catch(() => readFile(layout.stackTemplate, "utf8"));
  const { pins } = readMemory(layout.memoryFile);
  const mayBeOurs = (path: string) => {
    const value = readPin(text, path);
    if (value === undefined) return false;
    return value === "" || value === pins[path] || (pins[path] === undefined && pushedTo(path, value) !== undefined);
  };
  return new Set(Object.keys(layerPins).filter(mayBeOurs));
}

/** Writes the wanted pins where they are ours; a file that is absent is made from its template. */
export async function writeStackFile(layout: Layout, address: string, wanted: Pins, step: Step): Promise<void> {
  const { stackFile, memoryFile } = layout;
  if (!existsSync(stackFile)) {
    const template = await readFile(layout.stackTemplate, "utf8");
    const { edits, owned } = decidePins(template, wanted, () => true);
    await writeByRename(stackFile, (file) => writeFile(file, editedText(template, edits)));
    remember(memoryFile, { pins: owned });
    step.outcome("Pulumi.local.yaml made from its template");
    return;
  }
  const { pins } = readMemory(memoryFile);
  const useless = await uselessPins(layout, address);
  // Read after the look at the network: what its user wrote in the meantime is there to be seen.
  const present = await readFile(stackFile, "utf8");
  const { edits, owned, kept } = decidePins(present, wanted, (path, value) => value === (pins[path] ?? useless[path]));
  if (edits.length > 0) await writeEdits(stackFile, present, edits);
  remember(memoryFile, { pins: { ...pins, ...owned } });
  const changed = edits.map(({ path }) => path.join("."));
  const left = Object.entries(kept).map(([path, value]) => `${path} is yours and stays ${value}, not ${wanted[path]}`);
  const done = changed.length > 0 ? [`${changed.join(", ")} set to what was built here`] : ["unchanged"];
  step.outcome([...done, ...left].join("; "));
}

/**
 * Makes the local cluster one of the stack's, once: it enforces the policies of the first environment. A user who takes it out, or has
 * clusters of his own, is left alone. Resolves with whether it was added.
 */
export async function addCluster({ stackFile, memoryFile, kubeconfig, projectDir }: Layout, name: string) {
  const { pins } = readMemory(memoryFile);
  const key = `clusters.${name}.context`;
  const text = await readFile(stackFile, "utf8");
  const { config } = parse(text) as { config: Readonly<Record<string, { environments?: readonly unknown[] }>> };
  const environment = config["policy-platform:artifacts"]?.environments?.[0];
  const isSettled = pins[key] !== undefined || config["policy-platform:clusters"] !== undefined;
  if (isSettled || typeof environment !== "string") return false;
  const cluster = { environment, kubeconfig: relative(projectDir, kubeconfig), context: name, enforcement: "enforce" };
  const edits = Object.entries(cluster).map(([last, value]) => ({ path: ["clusters", name, last], value }));
  await writeEdits(stackFile, text, edits);
  remember(memoryFile, { pins: { ...pins, [key]: name } });
  return true;
}

/** Whether something in the stack file can be read with the passphrase of .local/ alone. */
export async function keepsSecrets({ stackFile }: Layout): Promise<boolean> {
  return holdsSecrets(await readFile(stackFile, "utf8").catch(() => ""));
}

/** The salt belongs to the passphrase of .local/: where that is gone, the next stack makes a new pair. */
export async function dropSalt({ stackFile }: Layout): Promise<void> {
  const text = await readFile(stackFile, "utf8").catch(() => "");
  if (/^encryptionsalt:/m.test(text)) await replaceText(stackFile, text, text.replace(/^encryptionsalt:.*\n?/m, ""));
}

export async function writeEnvironmentFile(options: EnvironmentOptions): Promise<void> {
  const { environmentFile } = options.layout;
  const text = renderEnvironmentFile(options);
  if ((await readFile(environmentFile, "utf8").catch(() => "")) === text) return;
  await writeByRename(environmentFile, (file) => writeFile(file, text));
}

/** The registry of this machine's loopback that a value lies in, when it is in the repository that its layer is pushed to. */
function pushedTo(path: string, value: string): string | undefined {
  const host = value.slice(0, value.indexOf("/"));
  return loopback.test(host) && value.startsWith(`${layerPins[path]!(host)}@`) ? host : undefined;
}

/**
 * After a lost memory: values that must be ours, as they name a repository that only this command pushes to, and that are of
 * no use to anybody: their content is gone, or nothing answers there any more. What describes such a pin goes with it: the
 * version beside it, and the address that it lies in.
 */
async function uselessPins({ stackFile, identity }: Layout, address: string): Promise<Pins> {
  const text = await readFile(stackFile, "utf8");
  const client = new RegistryClient();
  const useless: Record<string, string> = {};
  for (const path of Object.keys(layerPins)) {
    const value = readPin(text, path) ?? "";
    const host = pushedTo(path, value);
    if (host === undefined) continue;
    const { digest, ...repository } = parseReference(value);
    const gone =
      host === address
        ? digest === undefined || (await client.resolve(repository, digest)) === undefined
        : (await whoAnswers(portOf(host), identity)) === "nobody";
    if (!gone) continue;
    useless[path] = value;
    const versionPin = path.replace(/\.image$/, ".version");
    useless[versionPin] = readPin(text, versionPin) ?? "";
    if (host !== address && readPin(text, addressPin) === host) useless[addressPin] = host;
  }
  return useless;
}

function portOf(host: string): number {
  return Number(loopback.exec(host)![1]);
}
