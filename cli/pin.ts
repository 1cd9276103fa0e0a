// policy-platform pin: looks up checksum and digests of one entry and writes them into the stack's file.
import { readFileSync } from "node:fs";
import { catalogued } from "../config/catalogued";
import { valueAt } from "../config/issues";
import { fromStackFile } from "../config/load";
import { keyPath, quoted } from "../config/problems";
import { type Edit, writeEdits } from "../config/stackFile";
import { PlatformError } from "../lib/errors";
import { RegistryClient } from "../lib/oci/client";
import { registryCredentials } from "../lib/oci/registryCredentials";
import { catalogue } from "../lib/pins/catalogue";
import { bumpOf } from "./pinBump";
import { newestVersion } from "./pinLatest";
import { pinRepository } from "./pinRepository";
import { type Lookup, pinImage, pinTool } from "./pinSources";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";

export interface PinArguments {
  /** `base`, a tool or a policy repository; `tools.NAME` or `policies.NAME` where both have one of that name. */
  readonly name: string;
  readonly version?: string;
  /** Look the newest version up. */
  readonly latest?: boolean;
}

export async function pin(place: Place, args: PinArguments, output: Output): Promise<number> {
  const { stack, stackFile } = place;
  const read = fromStackFile(stackFile, stack);
  const text = readFileSync(stackFile, "utf8");
  const path = entryOf(args.name, read.raw, stack);
  narrate("doing", `looking up ${path.join(".")}`);
  const lookup = { ...args, raw: read.raw, path, stack, stackFile, client: clientOf(read.raw) };
  const found = await lookUp(args.latest ? { ...lookup, version: await newestVersion(lookup) } : lookup);
  const changes = found
    .map((edit) => ({ ...edit, from: valueAt(read.raw, edit.path) }))
    .filter(({ from, value }) => from !== value);
  if (changes.length > 0) await writeEdits(stackFile, text, changes);
  narrate(
    "done",
    changes.length > 0 ? `${path.join(".")} is pinned in ${stackFile}` : `${path.join(".")} was pinned already`,
  );
  const data = changes.map(({ path: key, from, value }) => ({
    key: keyPath(key),
    ...(from !== undefined && { from }),
    to: value,
  }));
  const bump = changes.length > 0 ? await bumpOf(place, read.raw) : {};
  answer(output, { stack, name: path.join("."), changes: data, ...bump }, [
    ...data.map(({ key, from, to }) => `${key}: ${from === undefined ? "" : `${quoted(from)} → `}${to}`),
    ...(bump.reason === undefined ? [] : [bump.reason]),
  ]);
  return exitCodes.ok;
}

function lookUp(lookup: Lookup): Promise<Edit[]> {
  if (lookup.path[0] === "tools") return pinTool(lookup);
  return lookup.path[0] === "policies" ? pinRepository(lookup) : pinImage(lookup, [...lookup.path, "image"]);
}

/** The path of the entry that a name means. */
function entryOf(name: string, raw: Readonly<Record<string, unknown>>, stack: string): string[] {
  const keys = (map: string) => Object.keys((raw[map] ?? {}) as object);
  const entries = ["tools", "policies"].flatMap((map) => keys(map).map((key) => [map, key]));
  const all = [["base"], ...entries];
  const matches = all.filter((path) => path.join(".") === name || path.at(-1) === name);
  if (matches.length === 1) return matches[0]!;
  const tool = name.replace(/^tools\./, "");
  if (matches.length === 0 && catalogued(tool)) return ["tools", tool];
  throw new PlatformError("pin-unknown", {
    what: `${quoted(name)} names ${matches.length === 0 ? "no entry" : "more than one entry"}`,
    rule: `entries of stack ${stack} are ${all.map((path) => path.join(".")).join(", ")}; tools that need no entry yet are ${Object.keys(catalogue).join(", ")}`,
    fix: "name one of them, or write the entry into the stack's file first",
  });
}

/** The registry's own settings may be broken: then its host is spoken to as any other. */
function clientOf(raw: Readonly<Record<string, unknown>>): RegistryClient {
  const { address, insecure } = (raw.registry ?? {}) as { address?: unknown; insecure?: unknown };
  const host = typeof address === "string" ? address.split("/")[0]! : "";
  return new RegistryClient({
    credentials: registryCredentials(),
    insecure: insecure === true && host ? [host] : [],
  });
}
