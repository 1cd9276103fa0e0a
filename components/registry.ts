// PolicyRegistry: the OCI registry that a stack publishes to, and the names of everything in it.
import * as pulumi from "@pulumi/pulumi";
import { messageOf } from "../lib/errors";
import { parseRepository } from "../lib/oci/reference";
import {
  artifactRegistryAddress,
  type RepositoryNames,
  type Root,
  repositoryNames,
  Separator,
} from "../lib/registry/names";
import { type CandidateCleanup, declareRepositories } from "./artifactRegistry";

/** How a registry comes to be. `existing`: it is there already. `artifactRegistry`: the stack declares it in Google Cloud. */
export const RegistryKind = { existing: "existing", artifactRegistry: "artifactRegistry" } as const;
export type RegistryKind = (typeof RegistryKind)[keyof typeof RegistryKind];

/** Plain values: the names of repositories must be known before the first resource is declared. */
export interface PolicyRegistryArgs {
  /** Default `existing`. */
  kind?: RegistryKind;
  /**
   * `host[:port][/path]`, without a scheme. Example: `127.0.0.1:5000`, `ghcr.io/acme`. Required of kind `existing`; of
   * `artifactRegistry` the default is `<location>-docker.pkg.dev/<project>`, and anything else is where everything is pushed instead.
   */
  address?: string;
  /** What joins repository levels: `/`, or `-` for hosts that allow two levels only. Default `/`. */
  separator?: Separator;
  /** Speak plain http to a registry that is not on loopback; on loopback it always may. Default false: TLS. */
  insecure?: boolean;
  /** Of `artifactRegistry`, required: id of the Google Cloud project. Another one replaces all, which `protect` refuses. */
  project?: string;
  /** Of `artifactRegistry`, required: region or multi-region. Example: `europe-west1`. Replaces like `project`. */
  location?: string;
  /** Of `artifactRegistry`: what the names of the repositories begin with. Default `policy`. Replaces like `project`. */
  prefix?: string;
  /** Of `artifactRegistry`: which repositories there are. Default all; a stack that promotes needs `releases` alone. */
  only?: readonly Root[];
  /** Of `artifactRegistry`: labels of the repositories. Default none. */
  labels?: Readonly<Record<string, string>>;
  /** Of `artifactRegistry`: no tag of a release can be moved, `latest` neither. Default false. */
  immutableTags?: boolean;
  /** Of `artifactRegistry`: layers and releases are protected, and retained when they leave the stack. Default true. */
  protect?: boolean;
  /** Of `artifactRegistry`: clean-up of candidates, and of nothing else. Default: none. */
  cleanup?: CandidateCleanup;
  /** Of `artifactRegistry`: members who may pull layers and releases. Default none. */
  readers?: readonly string[];
  /** Of `artifactRegistry`: members who may push to all repositories. Default none. */
  writers?: readonly string[];
}

/**
 * A registry, and the names of everything in it. Kind `existing` creates nothing; `artifactRegistry` declares three repositories of
 * Google Artifact Registry and who may pull from and push to them.
 *
 * @example new PolicyRegistry("registry", { address: "127.0.0.1:5000" }).names.releases("policy-platform")
 */
export class PolicyRegistry extends pulumi.ComponentResource {
  readonly address: pulumi.Output<string>;
  /** Repositories by role; plain strings, since an address is always known. */
  readonly names: RepositoryNames;
  /** For everything that is pushed to it or read from it. */
  readonly insecure: boolean;
  /** Known once they are there. */
  readonly #ids: readonly pulumi.Output<string>[];

  constructor(name: string, args: PolicyRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:PolicyRegistry", name, {}, opts);
    const { kind = RegistryKind.existing, separator = Separator.slash, insecure = false } = args;
    const isDeclared = kind === RegistryKind.artifactRegistry;
    const { project = "", location = "", prefix = "policy" } = args;
    const address = args.address ?? (isDeclared ? artifactRegistryAddress({ project, location }) : "");
    const errors = [
      ...oneOf("kind", kind, Object.values(RegistryKind)),
      ...oneOf("separator", separator, Object.values(Separator)),
      ...(isDeclared ? [...required("project", project), ...required("location", location)] : []),
      ...addressProblem(address),
    ];
    if (errors.length > 0) throw new pulumi.InputPropertiesError({ message: `registry ${name} is refused`, errors });
    this.names = repositoryNames({ address, separator, ...(isDeclared && { prefix }) });
    this.address = pulumi.output(address);
    this.insecure = insecure;
    this.#ids = isDeclared ? declareRepositories(name, { ...args, project, location, prefix }, this) : [];
    this.registerOutputs({ address: this.address });
  }

  /**
   * Whether everything can be pushed: in an update true, once the repositories are there. In a preview false when one of them is yet to be
   * created: then nothing that is read there tells anything.
   */
  async created(): Promise<boolean> {
    const ids = pulumi.all([...this.#ids]) as unknown as { promise(): Promise<unknown>; isKnown: Promise<boolean> };
    await ids.promise();
    return ids.isKnown;
  }
}

function required(propertyPath: string, value: string): pulumi.InputPropertyErrorDetails[] {
  return value === "" ? [{ propertyPath, reason: "is required of kind artifactRegistry" }] : [];
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
