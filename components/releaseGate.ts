// ReleaseGate: the checks that a candidate passes, on its very digest, before anything a user can name points at it.
import * as pulumi from "@pulumi/pulumi";
import type { IntegrationCase } from "../lib/gate/integrationCase";
import { usualLimits } from "../lib/gate/limits";
import { parsePinned } from "../lib/oci/reference";
import { filterRecord, mapRecord } from "../lib/record";
import {
  type GateArtifact,
  type GateCase,
  type GateCheck,
  type GateRepository,
  GateRun,
  type GateSize,
} from "../provider/resources/gateRun";

/** How a tool tells its version. */
export interface SmokeTool {
  /** The pinned version that it must print. */
  version: pulumi.Input<string>;
  /** What is run in the image. Example: `["/usr/local/bin/kyverno", "version"]`. */
  command: pulumi.Input<pulumi.Input<string>[]>;
  /** Regular expression over what it prints; group 1, where it has one, is the version. */
  expect: pulumi.Input<string>;
}

/** Bounds of programs that the gate runs. */
export interface ProgramBounds {
  /** Seconds for each program. Default 60 in the smoke check, 600 in all others. */
  timeoutSeconds?: pulumi.Input<number>;
  /** Bytes of memory for the container. Default 512 MiB in the smoke check, from then on 2 GiB. */
  memoryBytes?: pulumi.Input<number>;
  /** Bytes of output kept of each program; more fails the check. Default 1 MiB in the smoke check, 64 MiB in all others. */
  outputBytes?: pulumi.Input<number>;
}

/** What the source of a policy repository has beside what ships. */
export interface RepositoryTests {
  /** Folder of the source on this machine. Excludes `git`. */
  folder?: pulumi.Input<string>;
  /** The commit in place of a folder; fetched when the gate runs. */
  git?: { url: pulumi.Input<string>; commit: pulumi.Input<string>; path?: pulumi.Input<string> };
  /** Of the paths and contents that do not ship, or of the commit that has them: another one runs the gate again. */
  digest: pulumi.Input<string>;
}

export interface ReleaseGateArgs {
  /** Repository with the candidate, `host/path`. */
  candidates: pulumi.Input<string>;
  /** Repository with the releases, `host/path`: a digest that is there is tested from there. */
  releases: pulumi.Input<string>;
  /** The digest under test. */
  digest: pulumi.Input<string>;
  /** What its label must say. */
  inputDigest: pulumi.Input<string>;
  /** Tools by name. */
  tools: { [name: string]: SmokeTool };
  /** Layer images of the policy repositories by name, `host/path@sha256:…`: their file lists are what must be found. */
  repositories: { [name: string]: pulumi.Input<string> };
  /** Tests by repository name; of a repository without an entry the publisher runs them. */
  tests?: { [name: string]: RepositoryTests };
  /** `required`: a repository without tests fails. Default `optional`: it is shown as skipped. */
  policyTests?: pulumi.Input<string>;
  /** For each of which the policies in charts are rendered. Default: none. */
  environments?: readonly string[];
  /** Kinds that clusters get beside policies. Default: none. */
  allow?: readonly string[];
  /** Digests of the artifacts that are known before, by environment: the gate looks again where it found another one. Default: none. */
  announced?: Readonly<Record<string, string>>;
  /** Integration cases by name. Default: none. */
  integration?: Readonly<Record<string, IntegrationCase>>;
  /** What the image may weigh. Default: anything. */
  size?: GateSize;
  smoke?: ProgramBounds;
  /** Of all checks but the smoke check. */
  checks?: ProgramBounds;
  /** URN of the build, named when the candidate is gone. */
  buildUrn?: pulumi.Input<string>;
  /** Digest of a build made in this run; one that differs from `digest` is reported. */
  built?: pulumi.Input<string>;
  /** Allow plain http to a registry that is not on loopback. Default false. */
  insecure?: boolean;
}

/** What one run of the gate found. */
export interface GateResult {
  /** The digest that it is about. */
  readonly digest: string;
  /** Always true: a gate that does not pass fails the update. */
  readonly passed: boolean;
  readonly checks: GateCheck[];
}

/**
 * Fails the update when a check fails: nothing that depends on its `digest` is then written.
 *
 * @example new ReleaseGate("gate", { candidates, releases, digest: image.digest, inputDigest: image.inputDigest, tools: { yq: { version: "4.54.1", command: ["/usr/local/bin/yq", "--version"], expect: "version v(\\S+)" } }, repositories: {} })
 */
export class ReleaseGate extends pulumi.ComponentResource {
  /** The digest that passed. */
  readonly digest: pulumi.Output<string>;
  /** Of one run; unknown in every preview that would run it. */
  readonly result: pulumi.Output<GateResult>;
  /** By environment, the artifact that holds the policies of the image; unknown in every preview that would run it. */
  readonly artifacts: pulumi.Output<Record<string, GateArtifact>>;

  constructor(name: string, args: ReleaseGateArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:ReleaseGate", name, {}, opts);
    const run = new GateRun(
      `${name}-run`,
      {
        candidate: args.candidates,
        release: args.releases,
        digest: args.digest,
        inputDigest: args.inputDigest,
        tools: args.tools,
        repositories: pulumi.output(args.repositories).apply((references) => layersOf(references, args.tests ?? {})),
        policyTests: args.policyTests ?? "optional",
        environments: [...(args.environments ?? [])],
        allow: [...(args.allow ?? [])],
        announced: args.announced && { ...args.announced },
        // As plain values: what a component is given may be read-only, what a resource takes is not.
        integration: structuredClone(args.integration ?? {}) as Record<string, GateCase>,
        size: args.size ?? {},
        limits: {
          smoke: { ...usualLimits.smoke, ...given(args.smoke) },
          checks: { ...usualLimits.checks, ...given(args.checks) },
        },
        rebuild: args.buildUrn,
        built: args.built,
        insecure: args.insecure,
      },
      { parent: this },
    );
    this.digest = run.digest;
    this.result = pulumi.output({ digest: run.digest, passed: run.passed, checks: run.checks });
    this.artifacts = run.artifacts;
    this.registerOutputs({ digest: this.digest });
  }
}

/** Without what is `undefined`, which would stand in the way of the usual. */
function given(bounds: ProgramBounds = {}): ProgramBounds {
  return filterRecord(bounds as Record<string, unknown>, (value) => value !== undefined);
}

/** `host/path[:tag]@digest` → where the layer image is, its digest, and its tests. */
function layersOf(
  references: Record<string, string>,
  tests: { [name: string]: RepositoryTests },
): Record<string, GateRepository> {
  return mapRecord(references, (reference, name) => {
    const { registry, path, digest } = parsePinned(reference);
    return { digest, layers: `${registry}/${path}`, ...(tests[name] && { tests: tests[name] }) };
  });
}
