// Pulumi.local.yaml and .local/env: made when absent, afterwards only the pins that `npm run local` wrote itself.
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { writeByRename } from "../lib/cache";
import { RegistryClient } from "../lib/oci/client";
import { parseReference } from "../lib/oci/reference";
import { type EnvironmentOptions, renderEnvironmentFile } from "./environment";
import { toolNames } from "./layers/push";
import type { Layout } from "./layout";
import { readMemory, remember } from "./memory";
import { type Pins, readPin, updatePins } from "./pins";
import { whoAnswers } from "./registry";
import type { Step } from "./steps";

const addressPin = "registry.address";
const loopback = /^127\.0\.0\.1:(\d+)$/;
const layerPins = ["base.image", ...toolNames.map((name) => `tools.${name}.image`)];

/** The port in the stack file, when its registry is one of this machine's loopback. */
export async function portInStackFile({ stackFile }: Layout): Promise<number | undefined> {
  const text = await readFile(stackFile, "utf8").catch(() => "");
  const port = loopback.exec(readPin(text, addressPin) ?? "")?.[1];
  return port === undefined ? undefined : Number(port);
}

/** The paths of layer pins that this run has to provide: all of them for a new file, else those that are not the user's. */
export async function ownPins(layout: Layout, address: string): Promise<ReadonlySet<string>> {
  const text = await readFile(layout.stackFile, "utf8").catch(() => undefined);
  if (text === undefined) return new Set(layerPins);
  const { pins } = readMemory(layout.memoryFile);
  const registries = [address, readPin(text, addressPin) ?? address].filter((host) => loopback.test(host));
  return new Set(
    layerPins.filter((path) => {
      const value = readPin(text, path);
      // A pin into a registry of this machine may be one of ours whose memory was lost: the update decides.
      return (
        value !== undefined && (value === pins[path] || registries.some((host) => value.startsWith(`${host}/layers/`)))
      );
    }),
  );
}

/** Writes the wanted pins where they are ours; a file that is absent is made from its template. */
export async function writeStackFile(layout: Layout, address: string, wanted: Pins, step: Step): Promise<void> {
  const { pins } = readMemory(layout.memoryFile);
  if (!existsSync(layout.stackFile)) {
    const template = await readFile(layout.stackTemplate, "utf8");
    const { text, owned } = updatePins(template, { wanted, owned: {}, isGone: () => true });
    await writeByRename(layout.stackFile, (file) => writeFile(file, text));
    remember(layout.memoryFile, { pins: owned });
    step.outcome("Pulumi.local.yaml made from its template");
    return;
  }
  const present = await readFile(layout.stackFile, "utf8");
  const gone = await goneReferences(layout, present, address);
  const { text, owned, changed } = updatePins(present, {
    wanted,
    owned: pins,
    isGone: (_path, value) => gone.has(value),
  });
  if (changed.length > 0) await writeByRename(layout.stackFile, (file) => writeFile(file, text));
  remember(layout.memoryFile, { pins: { ...pins, ...owned } });
  const images = changed.filter((path) => path.endsWith(".image"));
  step.outcome(images.length > 0 ? `Pulumi.local.yaml: ${images.join(", ")} set to what was built here` : "unchanged");
}

export async function writeEnvironmentFile(options: EnvironmentOptions): Promise<void> {
  const { environmentFile } = options.layout;
  const text = renderEnvironmentFile(options);
  if ((await readFile(environmentFile, "utf8").catch(() => "")) === text) return;
  await writeByRename(environmentFile, (file) => writeFile(file, text));
}

/** Pins into this machine's registry that are of no use to anybody: their content is gone, or nothing answers there any more. */
async function goneReferences(layout: Layout, text: string, address: string): Promise<ReadonlySet<string>> {
  const client = new RegistryClient();
  const pinned = readPin(text, addressPin) ?? address;
  const port = Number(loopback.exec(pinned)?.[1] ?? 0);
  const abandoned = pinned !== address && port > 0 && (await whoAnswers(port, layout.identity)) === "nobody";
  const values = layerPins.flatMap((path) => readPin(text, path) ?? []);
  const gone = await Promise.all(
    values.map(async (value) => {
      if (abandoned && value.startsWith(`${pinned}/layers/`)) return [value];
      if (!value.startsWith(`${address}/layers/`)) return [];
      const { digest, ...repository } = parseReference(value);
      return digest !== undefined && (await client.resolve(repository, digest)) === undefined ? [value] : [];
    }),
  );
  return new Set([...gone.flat(), ...(abandoned ? [pinned] : [])]);
}
