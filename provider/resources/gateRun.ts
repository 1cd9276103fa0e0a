// SDK class of policychain:index:GateRun: the release gate, run on one image digest.
import * as pulumi from "@pulumi/pulumi";

/** A tool and how it says its version. */
export interface GateTool {
  /** The pinned version that the tool must print. */
  version: pulumi.Input<string>;
  /** Run in the image: `["kyverno", "version"]`. */
  command: pulumi.Input<pulumi.Input<string>[]>;
  /** Regular expression whose first group is the version in the output. */
  expect: pulumi.Input<string>;
}

/** A policy repository whose files must all be in the image. */
export interface GateRepository {
  /** Of its layer image. */
  digest: pulumi.Input<string>;
  /** The repository, `host/path`, where its layer image is. */
  layers: pulumi.Input<string>;
}

/** Bounds of the containers that the gate starts. */
export interface GateLimits {
  /** For each command. */
  timeoutSeconds: pulumi.Input<number>;
  memoryBytes: pulumi.Input<number>;
  /** Kept of each command's output. */
  outputBytes: pulumi.Input<number>;
}

export interface GateRunArgs {
  /** `host/path` of the built image; needed only while `release` lacks the digest. */
  candidate: pulumi.Input<string>;
  /** `host/path` where the image is released. */
  release: pulumi.Input<string>;
  digest: pulumi.Input<string>;
  /** Compared with the image's label before anything runs. */
  inputDigest: pulumi.Input<string>;
  /** By name. */
  tools: pulumi.Input<Record<string, pulumi.Input<GateTool>>>;
  /** By name, the folder under `/repos`. */
  repositories: pulumi.Input<Record<string, pulumi.Input<GateRepository>>>;
  limits: pulumi.Input<GateLimits>;
  /** URN of the resource to replace when the candidate is gone: it stands in that error's command. Ignored by diff. */
  rebuild?: pulumi.Input<string>;
  /** The digest that this run's build gave; a warning says when it is not `digest`. Ignored by diff. */
  built?: pulumi.Input<string>;
  /** Allows plain http to the hosts of `candidate` and `release`; loopback always may. Ignored by diff. Default false. */
  insecure?: pulumi.Input<boolean>;
}

/** One check and how it ended. */
export interface GateCheck {
  readonly name: string;
  /** `passed`, `failed` or `skipped`. */
  readonly status: string;
  readonly detail: string;
}

export class GateRun extends pulumi.CustomResource {
  readonly digest!: pulumi.Output<string>;
  readonly inputDigest!: pulumi.Output<string>;
  /** Always true in the state: a failing gate fails the run. Unknown in every preview. */
  readonly passed!: pulumi.Output<boolean>;
  /** Unknown in every preview. */
  readonly checks!: pulumi.Output<GateCheck[]>;

  constructor(name: string, args: GateRunArgs, options?: pulumi.CustomResourceOptions) {
    super("policychain:index:GateRun", name, { ...args, passed: undefined, checks: undefined }, options);
  }
}
