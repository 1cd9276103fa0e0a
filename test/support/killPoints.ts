// The points of a release at which something is killed, each named by the request that is on its way just then.
import type { HeldRequest } from "./faultProxy";
import type { KillStand } from "./killStand";
import type { ProcessKind } from "./processes";

/** The three tags of a release. */
export type Role = "commit" | "version" | "latest";

export interface KillPoint {
  /** With its verb: `the engine is`. */
  readonly who: string;
  readonly when: string;
  readonly victims: readonly ProcessKind[];
  /** Changes something that calls for a release, and resolves when the run has come to the point. */
  readonly reach: (stand: KillStand) => Promise<HeldRequest>;
  /** From there on, wait until the engine writes this file of its state. */
  readonly stateFile?: RegExp;
  /** The stopped request still arrives after the kill. Default: it is lost. */
  readonly arrives?: boolean;
  /** Tags that name the new image after the kill. Default: none. */
  readonly tagged?: readonly Role[];
  /** The repair is the command's, as a user types it. Default: the function behind it. */
  readonly byCommand?: boolean;
}

const engine = { who: "the engine is", victims: ["engine"] } as const;
const plugin = { who: "the plugin is", victims: ["policychain"] } as const;
const dockerPlugin = { who: "the docker plugin is", victims: ["docker"] } as const;
const both = { who: "engine and plugins are", victims: ["engine", "policychain", "docker"] } as const;
const all = {
  who: "everything is",
  victims: ["engine", "policychain", "docker", "host", "program", "other"],
} as const;

/** A policy is edited; the run stops at a request to the registry, or at its answer. */
const registry =
  (pattern: RegExp, side: "request" | "answer" = "request") =>
  async (stand: KillStand) => {
    stand.editPolicy();
    return stand.registry.hold(pattern, { side });
  };
/** The same at a request to the Docker engine. */
const docker = (pattern: RegExp) => async (stand: KillStand) => {
  stand.editPolicy();
  return stand.docker.hold(pattern);
};
/** A tool gets a release that must be downloaded; the run stops in the middle of it. */
const download = (options: { readonly digest: boolean }) => async (stand: KillStand) =>
  (await stand.pinNewRelease(options)).stopped;

export const requests = {
  upload: /^PUT \/v2\/layers\/repositories\/.*\/blobs\/uploads/,
  build: /^POST \/v[0-9.]+\/build\?/,
  buildPull: /^GET \/v2\/layers\/repositories\/\S+ .*(buildkit|containerd|docker)/i,
  candidate: /^PUT \/v2\/candidates\/.*\/manifests\//,
  attach: /^POST \/v[0-9.]+\/containers\/.*\/attach/,
  exec: /^POST \/v[0-9.]+\/exec\/.*\/start/,
  mount: /^POST \/v2\/releases\/.*mount=/,
  copy: /^PUT \/v2\/releases\/.*\/manifests\/sha256:/,
  look: /^HEAD \/v2\/releases\/.*\/manifests\/v1\./,
  commit: /^PUT \/v2\/releases\/.*\/manifests\/sha-/,
  version: /^PUT \/v2\/releases\/.*\/manifests\/v1\./,
  latest: /^PUT \/v2\/releases\/.*\/manifests\/latest/,
};
const state = { main: /^local\.json\.[0-9a-f]+\.tmp$/, backup: /^local\.json\.bak\.[0-9a-f]+\.tmp$/ };

/** Points of a stack's very first run: there the state knows nothing yet. */
export const firstPoints: readonly KillPoint[] = [
  { ...engine, when: "the gate of the very first run is on", reach: docker(requests.exec) },
  {
    ...all,
    when: "the version tag of the very first run is written",
    reach: registry(requests.version),
    tagged: ["commit"],
  },
];

/** Points of a run that releases a change, in the order of the run. */
export const killPoints: readonly KillPoint[] = [
  { ...engine, when: "the plugin downloads a tool", reach: download({ digest: true }), byCommand: true },
  { ...plugin, when: "it downloads a tool", reach: download({ digest: true }) },
  { ...both, when: "a tool is downloaded", reach: download({ digest: true }) },
  {
    ...engine,
    when: "the program downloads a tool that is pinned without a digest",
    reach: download({ digest: false }),
  },
  { ...plugin, when: "it uploads a policy layer", reach: registry(requests.upload) },
  { ...engine, when: "the image is built", reach: docker(requests.build) },
  { ...dockerPlugin, when: "the build reads its layers", reach: registry(requests.buildPull) },
  { ...all, when: "the candidate is pushed", reach: registry(requests.candidate) },
  {
    ...engine,
    when: "the candidate has just arrived",
    reach: registry(requests.candidate, "answer"),
    arrives: true,
  },
  { ...engine, when: "the gate runs a tool", reach: docker(requests.exec) },
  { ...plugin, when: "the gate runs a tool", reach: docker(requests.exec) },
  { ...all, when: "the gate's container is made and not yet started", reach: docker(requests.attach) },
  { ...engine, when: "a layer is copied to the release", reach: registry(requests.mount) },
  { ...plugin, when: "the manifest of the copy is on its way", reach: registry(requests.copy), arrives: true },
  {
    ...both,
    when: "the state is written after the copy",
    reach: registry(requests.copy, "answer"),
    stateFile: state.main,
  },
  { ...engine, when: "the commit tag is written", reach: registry(requests.commit) },
  {
    ...engine,
    when: "the plugin has one answer to wait for before it writes the version tag",
    reach: registry(requests.look),
    arrives: true,
    tagged: ["commit"],
  },
  {
    ...plugin,
    when: "the version tag is written and does not arrive",
    reach: registry(requests.version),
    tagged: ["commit"],
  },
  {
    ...all,
    when: "the version tag is on its way and arrives",
    reach: registry(requests.version),
    arrives: true,
    tagged: ["commit", "version"],
  },
  {
    ...engine,
    when: "the version tag is there and the plugin does not know it yet",
    reach: registry(requests.version, "answer"),
    tagged: ["commit", "version"],
  },
  { ...engine, when: "latest is written", reach: registry(requests.latest), tagged: ["commit", "version"] },
  {
    ...engine,
    when: "the last state is written",
    reach: registry(requests.latest, "answer"),
    stateFile: state.backup,
    tagged: ["commit", "version", "latest"],
  },
];
