// PolicyRegistry: the OCI registry that a stack publishes to, and the names of everything in it.
import * as pulumi from "@pulumi/pulumi";
import { messageOf } from "../lib/errors";
import { parseRepository } from "../lib/oci/reference";
import { type RepositoryNames, repositoryNames, Separator } from "../lib/repositoryNames";

/** How a registry comes to be. `existing`: it is there already, and nothing is created. */
export const RegistryKind = { existing: "existing" } as const;
export type RegistryKind = (typeof RegistryKind)[keyof typeof RegistryKind];

/** Plain values: the names of repositories must be known before the first resource is declared. */
export interface PolicyRegistryArgs {
  /** Default `existing`. */
  kind?: RegistryKind;
  /** `host[:port][/path]`, without a scheme. Example: `127.0.0.1:5000`, `ghcr.io/acme`. */
  address: string;
  /** What joins repository levels: `/`, or `-` for hosts that allow two levels only. Default `/`. */
  separator?: Separator;
  /** Speak plain http to a registry that is not on loopback; on loopback it always may. Default false: TLS. */
  insecure?: boolean;
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
  /** For everything that is pushed to it or read from it. */
  readonly insecure: boolean;

  constructor(name: string, args: PolicyRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:PolicyRegistry", name, {}, opts);
    const { address, kind = RegistryKind.existing, separator = Separator.slash, insecure = false } = args;
    const errors = [
      ...oneOf("kind", kind, Object.values(RegistryKind)),
      ...oneOf("separator", separator, Object.values(Separator)),
      ...addressProblem(address),
    ];
    if (errors.length > 0) throw new pulumi.InputPropertiesError({ message: `registry ${name} is refused`, errors });
    this.names = repositoryNames({ address, separator });
    this.address = pulumi.output(address);
    this.insecure = insecure;
    this.registerOutputs({ address: this.address });
  }
}

function oneOf(propertyPath: string, value: string, allowed: readonly string[]): pulumi.InputPropertyErrorDetails[] {
  return allowed.includes(value) ? [] : [{ propertyPath, reason: `is not one of ${allowed.join(" ")}` }];
}

/** A scheme is refused, whichever: that plain http is spoken is said by `insecure` alone. */
function addressProblem(address: string): pulumi.InputPropertyErrorDetails[] {
  const propertyPath = "address";
  if (/^[a-z]+:\/\//i.test(address))
    return [{ propertyPath, reason: "has a scheme: TLS is used, and plain http on loopback or with insecure: true" }];
  try {
    parseRepository(`${address}/x`);
    return [];
  } catch (error) {
    return [{ propertyPath, reason: messageOf(error) }];
  }
}
