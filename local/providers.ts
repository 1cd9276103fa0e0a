// Provider plugins in the stack's own PULUMI_HOME: the official one where it can be had, else the closed-network one.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { exec } from "../lib/exec";
import type { Layout } from "./layout";
import type { Step } from "./steps";
import { networkEnvironment } from "./toolchain/network";

const installTimeout = 5 * 60_000;
/** How a closed-network plugin begins; the official ones are ELF files. */
const scriptMark = "#!";

export type PluginKind = "official" | "closed-network";

/** Which plugin serves a package, if any: `resource-docker-v5.2.0`. */
export function installedPlugin(layout: Layout, name: string): PluginKind | undefined {
  const file = pluginFile(layout, name);
  if (!existsSync(file)) return undefined;
  return readFileSync(file).subarray(0, 2).toString("latin1") === scriptMark ? "closed-network" : "official";
}

/** The folder and program of a plugin, for the very version of its SDK in node_modules. */
function pluginFile(layout: Layout, name: string): string {
  return join(layout.pulumiHome, "plugins", `resource-${name}-v${sdkVersion(layout, name)}`, `pulumi-resource-${name}`);
}

export interface InstallOptions {
  readonly layout: Layout;
  readonly step: Step;
  /** The engine, which knows where its plugins are released; `undefined` where the network does not reach that. */
  readonly pulumi: string | undefined;
}

/** Makes the plugin `name` ready. A closed-network one is brought up to date with what this checkout was built with. */
export async function installPlugin(name: string, { layout, step, pulumi }: InstallOptions): Promise<PluginKind> {
  const present = installedPlugin(layout, name);
  if (present === "official") return present;
  if (present === undefined && pulumi !== undefined && (await installOfficial(name, { layout, step, pulumi })))
    return "official";
  await installClosedNetwork(layout, name);
  return "closed-network";
}

async function installOfficial(
  name: string,
  { layout, step, pulumi }: InstallOptions & { pulumi: string },
): Promise<boolean> {
  const result = await exec(pulumi, ["plugin", "install", "resource", name, sdkVersion(layout, name)], {
    env: { ...networkEnvironment(), PULUMI_HOME: layout.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: "true" },
    timeout: installTimeout,
    signal: step.signal,
  });
  return result.code === 0 && existsSync(pluginFile(layout, name));
}

async function installClosedNetwork(layout: Layout, name: string): Promise<void> {
  const program = pluginFile(layout, name);
  const from = join(layout.plugins, name);
  const beside = readdirSync(from).filter((file) => file !== basename(program));
  await mkdir(dirname(program), { recursive: true });
  for (const file of [...beside, basename(program)]) await replaceFile(join(from, file), join(dirname(program), file));
}

async function replaceFile(built: string, target: string): Promise<void> {
  if (existsSync(target) && digestOf(target) === digestOf(built)) return;
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    await copyFile(built, temporary);
    await chmod(temporary, 0o755);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}

function digestOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

function sdkVersion(layout: Layout, name: string): string {
  const file = join(layout.projectDir, "node_modules", "@pulumi", name, "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
