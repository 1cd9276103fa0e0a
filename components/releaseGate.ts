// ReleaseGate: the checks that a candidate passes, on its very digest, before anything a user can name points at it.
import * as pulumi from "@pulumi/pulumi";
import { parsePinned } from "../lib/oci/reference";
import { mapRecord } from "../lib/record";
import { type GateCheck, GateRun } from "../provider/resources/gateRun";

/** How a tool tells its version. */
export interface SmokeTool {
  /** The pinned version that it must print. */
  version: pulumi.Input<string>;
  /** What is run in the image. Example: `["/usr/local/bin/kyverno", "version"]`. */
  command: pulumi.Input<pulumi.Input<string>[]>;
  /** Regular expression over what it prints; group 1, where it has one, is the version. */
  expect: pulumi.Input<string>;
}

export interface SmokeLimits {
  /** Seconds for each command. Default 60. */
  timeoutSeconds?: pulumi.Input<number>;
  /** Bytes of memory for the container. Default 536,870,912 (512 MiB). */
  memoryBytes?: pulumi.Input<number>;
  /** Bytes of output kept of each command; more fails the check. Default 1,048,576. */
  outputBytes?: pulumi.Input<number>;
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
  smoke?: SmokeLimits;
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
        repositories: pulumi.output(args.repositories).apply(layersOf),
        limits: {
          timeoutSeconds: args.smoke?.timeoutSeconds ?? 60,
          memoryBytes: args.smoke?.memoryBytes ?? 512 * 1024 * 1024,
          outputBytes: args.smoke?.outputBytes ?? 1024 * 1024,
        },
        rebuild: args.buildUrn,
        built: args.built,
        insecure: args.insecure,
      },
      { parent: this },
    );
    this.digest = run.digest;
    this.result = pulumi.output({ digest: run.digest, passed: run.passed, checks: run.checks });
    this.registerOutputs({ digest: this.digest });
  }
}

/** `host/path[:tag]@digest` → where the layer image is, and its digest. */
function layersOf(references: Record<string, string>): Record<string, { digest: string; layers: string }> {
  return mapRecord(references, (reference) => {
    const { registry, path, digest } = parsePinned(reference);
    return { digest, layers: `${registry}/${path}` };
  });
}
