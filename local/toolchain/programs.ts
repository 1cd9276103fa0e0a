// The programs that are built here: their pins, and the folders of the cache in which they are found again.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type Json } from "../../lib/canonicalJson";
import { sha256 } from "../../lib/oci/digest";
import type { Layout } from "../layout";
import type { SourceEdit, SourceFolder } from "./sources";

/** One entry of programs.json: of a Go module (go.mod and go.sum are in `modules/<name>`) or of npm (recipe in `npm/<name>`). */
export interface Program {
  readonly version: string;
  /** For the first screen: what it is for. */
  readonly what: string;
  /** Default `go`. */
  readonly from?: "go" | "npm";
  /** Go package or npm package by file name. */
  readonly binaries: Readonly<Record<string, string>>;
  readonly ldflags?: string;
  readonly tags?: string;
  /** Built with cgo; default false. */
  readonly cgo?: boolean;
  /** Sources that go beside the binaries, by the name of their folder there. */
  readonly files?: Readonly<Record<string, SourceFolder>>;
  /** What the build changes in the sources, where no flag does. */
  readonly edit?: SourceEdit;
  /** True for what only the local cluster needs; default false. */
  readonly cluster?: boolean;
  /** True for what most machines never build; default false. */
  readonly optional?: boolean;
  /** A cold build on two cores. */
  readonly seconds: number;
}

export type ProgramName =
  | "pulumi"
  | "pulumi-language-nodejs"
  | "yq"
  | "kyverno"
  | "pluto"
  | "helm"
  | "spectral"
  | "dockerd"
  | "containerd"
  | "runc"
  | "etcd"
  | "kubernetes"
  | "source-controller"
  | "kustomize-controller"
  | "kyverno-controller"
  | "registry"
  | "crane";

// The table is JSON because local/start.mjs reads it too, before there is anything that could read TypeScript.
const programs = require("./programs.json") as Record<ProgramName, Program>;

export function programOf(name: ProgramName): Program {
  return programs[name];
}

/** `pulumi 3.257.0, yq 4.54.1`: every program with its version, as start.mjs writes it too. */
export function programVersions(): string {
  return Object.entries(programs)
    .map(([name, { version }]) => `${name} ${version}`)
    .join(", ");
}

/** The environment that decides what a build puts out, beside the module, the Go version and the flags. */
export const buildTarget = { GOOS: "linux", GOARCH: "amd64", GOAMD64: "v1", GOEXPERIMENT: "" } as const;

/** Everything that can change the bytes of a build, as twelve characters. */
export function buildKey(program: Program, goVersion: string, moduleFiles: { mod: string; sum: string }): string {
  const { binaries, ldflags = "", tags = "", cgo = false, files, edit } = program;
  const facts = { binaries, ldflags, tags, cgo, files, edit, goVersion, target: buildTarget, ...moduleFiles };
  return keyOf(facts);
}

function keyOf(facts: Json): string {
  return createHash("sha256").update(canonicalJson(facts)).digest("hex").slice(0, 12);
}

/** The folder of a program from npm in the cache, there or not: every file of its recipe can change the bytes. */
export function npmProgramFolder(layout: Layout, name: ProgramName): string {
  const recipe = join(layout.npmRecipes, name);
  const files = readdirSync(recipe, { recursive: true, encoding: "utf8" })
    .filter((file) => !file.startsWith("node_modules") && statSync(join(recipe, file)).isFile())
    .map((file) => [file, sha256(readFileSync(join(recipe, file)))]);
  return join(layout.cache.programs, `${name}-${programOf(name).version}-${keyOf(Object.fromEntries(files))}`);
}

/** The folder of a program from a Go module in the cache, there or not. */
export function programFolder(layout: Layout, name: ProgramName, goVersion: string): string {
  const read = (file: string) => readFileSync(join(layout.modules, name, file), "utf8");
  const key = buildKey(programOf(name), goVersion, { mod: read("go.mod"), sum: read("go.sum") });
  return join(layout.cache.programs, `${name}-${programOf(name).version}-${key}`);
}

/** True when every binary is there: folders are made whole and then renamed, so the folder's presence would do. */
export function isBuilt(folder: string, name: ProgramName): boolean {
  return Object.keys(programOf(name).binaries).every((binary) => existsSync(join(folder, binary)));
}
