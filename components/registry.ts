// PolicyRegistry: the OCI registry that a stack publishes to, and the names of everything in it.
import * as pulumi from "@pulumi/pulumi";
import { type RepositoryNames, repositoryNames } from "../lib/repositoryNames";

export interface PolicyRegistryArgs {
  /** `host[:port][/path]` of a registry that exists. Example: `127.0.0.1:5000`, `ghcr.io/acme`. */
  address: string;
  /** What joins repository levels: `/`, or `-` for hosts that allow two levels only. Default `/`. */
  separator?: "/" | "-";
}

/**
 * A registry that is there already (kind `existing`): nothing is created, the component names the repositories.
 *
 * @example new PolicyRegistry("registry", { address: "127.0.0.1:5000" }).names.releases("policy-platform")
 */
export class PolicyRegistry extends pulumi.ComponentResource {
  readonly address: pulumi.Output<string>;
  /** Repositories by role; plain strings, since an existing registry's address is always known. */
  readonly names: RepositoryNames;

  constructor(name: string, args: PolicyRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:PolicyRegistry", name, {}, opts);
    this.names = repositoryNames({ address: args.address, separator: args.separator ?? "/" });
    this.address = pulumi.output(args.address);
    this.registerOutputs({ address: this.address });
  }
}
