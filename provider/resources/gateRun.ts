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
  /** Its tests; absent for one that is given as an image, whose publisher runs them. */
  tests?: pulumi.Input<GateTests>;
}

/** What the source of a policy repository has beside what ships. */
export interface GateTests {
  /** Folder of the source on this machine. Ignored by diff. */
  folder?: pulumi.Input<string>;
  /** The commit in place of a folder. Ignored by diff. */
  git?: pulumi.Input<GateCommit>;
  /** Of the paths and contents that do not ship, or of the commit that has them. */
  digest: pulumi.Input<string>;
}

/** A folder of a commit of a git repository. */
export interface GateCommit {
  url: pulumi.Input<string>;
  /** The whole hash. */
  commit: pulumi.Input<string>;
  /** The folder; default the whole repository. */
  path?: pulumi.Input<string>;
}

/** A chart with its values under policies; paths are below `/repos`. */
export interface GateCase {
  /** Folder of the chart. */
  chart: pulumi.Input<string>;
  /** Values files, the last one wins. */
  values: pulumi.Input<pulumi.Input<string>[]>;
  /** Environment for which policies in charts are rendered. */
  environment?: pulumi.Input<string>;
  /** Repositories, or folders or files in them. */
  policies: pulumi.Input<pulumi.Input<string>[]>;
  /** `pass` or `refused`. */
  expect: pulumi.Input<string>;
  /** `policy/rule` of each rule that must refuse. */
  by: pulumi.Input<pulumi.Input<string>[]>;
  /** `1.31`: the cluster that the chart is for. */
  kubernetes?: pulumi.Input<string>;
  spectral?: pulumi.Input<GateLint>;
}

/** Bytes that an image may have; without a bound they are only shown. */
export interface GateSize {
  /** In the registry. */
  compressedBytes?: pulumi.Input<number>;
  /** On a disk. */
  unpackedBytes?: pulumi.Input<number>;
}

/** What spectral is to look at. */
export interface GateLint {
  ruleset: pulumi.Input<string>;
  /** Default: the chart's values and those of the case. */
  files?: pulumi.Input<pulumi.Input<string>[]>;
}

/** Bounds of programs in the gate's container. */
export interface GateBounds {
  /** For each program. */
  timeoutSeconds: pulumi.Input<number>;
  /** Of the container. */
  memoryBytes: pulumi.Input<number>;
  /** That a program may print; more fails its check. */
  outputBytes: pulumi.Input<number>;
}

/** Bounds of the gate. */
export interface GateLimits {
  /** While tools print their versions. */
  smoke: pulumi.Input<GateBounds>;
  /** From then on. */
  checks: pulumi.Input<GateBounds>;
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
  /** `required`: a policy repository without tests fails, unless it is given as an image. `optional`: it is skipped. */
  policyTests: pulumi.Input<string>;
  /** For each of which the policies in charts are rendered. */
  environments: pulumi.Input<pulumi.Input<string>[]>;
  /** Kinds that clusters get beside policies. Default none. */
  allow?: pulumi.Input<pulumi.Input<string>[]>;
  /** Integration cases by name. */
  integration: pulumi.Input<Record<string, pulumi.Input<GateCase>>>;
  /** What the image may weigh. */
  size: pulumi.Input<GateSize>;
  /** By environment, the digest of its artifact where it is known before; the gate runs again where an earlier run found another one. Ignored by diff otherwise. */
  announced?: pulumi.Input<Record<string, pulumi.Input<string>>>;
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

/** An artifact that holds the policies that the gate has seen, and no others. */
export interface GateArtifact {
  /** Of its manifest. */
  readonly digest: string;
  /** Of its layer. */
  readonly revision: string;
  /** Of what its charts were rendered from; absent where it has none. */
  readonly render?: string;
}

/** How many rules Kyverno sees in policy files and folders. */
export interface GateRules {
  /** Of which Kyverno and which gate. */
  readonly by: string;
  /** By `file`, `folder`, `chart` or `tests` and the digest of what it is about. */
  readonly rules: Record<string, number>;
}

/** Facts about bytes, by their digests. */
export interface GateMemory {
  readonly rules?: GateRules;
  /** Bytes of unpacked layers. */
  readonly layers: Record<string, number>;
}

export class GateRun extends pulumi.CustomResource {
  readonly digest!: pulumi.Output<string>;
  readonly inputDigest!: pulumi.Output<string>;
  /** Always true in the state: a failing gate fails the run. Unknown in every preview. */
  readonly passed!: pulumi.Output<boolean>;
  /** Unknown in every preview. */
  readonly checks!: pulumi.Output<GateCheck[]>;
  /** By environment. Unknown in every preview. */
  readonly artifacts!: pulumi.Output<Record<string, GateArtifact>>;
  /** Facts by digest for the next run, so that a machine without a cache finds out again only what changed. Unknown in every preview. */
  readonly memory!: pulumi.Output<GateMemory>;

  constructor(name: string, args: GateRunArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "policychain:index:GateRun",
      name,
      { ...args, passed: undefined, checks: undefined, artifacts: undefined, memory: undefined },
      options,
    );
  }
}
