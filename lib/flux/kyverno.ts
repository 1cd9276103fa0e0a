// The objects by which Flux installs Kyverno: of a chart by digest, or of manifests at a commit. What they say has not been run.
import { parsePinned } from "../oci/reference";
import { type DeclaredObject, kustomization, ociRepository } from "./objects";

/** Where Kyverno comes from. */
export interface KyvernoSource {
  /** `oci://host/path@sha256:…`. */
  readonly chart?: string;
  readonly git?: {
    readonly url: string;
    readonly commit: string /** Folder of its manifests. */;
    readonly path: string;
  };
}

export interface KyvernoArgs extends KyvernoSource {
  /** Where Flux's objects are. */
  readonly namespace: string;
  readonly interval: string;
  readonly retryInterval: string;
}

/** Objects that fetch Kyverno, and the one that installs it. */
export interface KyvernoObjects {
  readonly source: DeclaredObject;
  readonly install: DeclaredObject;
  /**
   * When `install` has brought this very Kyverno, as conditions of `pulumi.com/waitFor`. Each of them names the digest or the commit: a new
   * one changes nothing else of `install`, which stays Ready of the old one until Flux has seen the source.
   */
  readonly installed: readonly string[];
  /** Kustomization that others can depend on; a HelmRelease is none. */
  readonly dependency?: string;
}

/** All of them are called so; Kyverno itself is installed into a namespace of that name. */
const name = "kyverno";
/** Images are pulled and webhooks come up in that time. */
const timeout = "5m";
const chartLayer = { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", operation: "copy" } as const;

/** Exactly one of `chart` and `git` is given. */
export function kyvernoObjects({ chart, git, ...place }: KyvernoArgs): KyvernoObjects {
  return git ? fromGit(git, place) : fromChart(chart!, place);
}

type Place = Omit<KyvernoArgs, "chart" | "git">;

function fromChart(chart: string, { namespace, interval }: Place): KyvernoObjects {
  const { registry, path, digest } = parsePinned(chart.replace(/^oci:\/\//, ""));
  const source = ociRepository({
    name,
    namespace,
    repository: `${registry}/${path}`,
    ref: { digest },
    interval,
    layerSelector: chartLayer,
  });
  const remediation = { retries: 3 };
  const install = {
    apiVersion: "helm.toolkit.fluxcd.io/v2",
    kind: "HelmRelease",
    metadata: { name, namespace },
    spec: {
      interval,
      timeout,
      chartRef: { kind: "OCIRepository", name },
      releaseName: name,
      targetNamespace: name,
      install: { createNamespace: true, remediation },
      upgrade: { remediation },
      suspend: false,
    },
  };
  return { source, install, installed: installed("lastAttemptedRevisionDigest", digest) };
}

function fromGit(
  git: NonNullable<KyvernoSource["git"]>,
  { namespace, interval, retryInterval }: Place,
): KyvernoObjects {
  const { url, commit, path } = git;
  const source = {
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "GitRepository",
    metadata: { name, namespace },
    // The folder's own top level alone: the rest of Kyverno's repository is its source code.
    spec: { interval, url, ref: { commit }, ignore: `/*\n!/${path.split("/")[0]}/\n`, suspend: false },
  };
  const install = kustomization({
    name,
    namespace,
    source: { kind: "GitRepository", name },
    path: `./${path}`,
    prune: true,
    interval,
    retryInterval,
    timeout,
  });
  const hash = commit.length === 64 ? "sha256" : "sha1";
  return { source, install, installed: installed("lastAppliedRevision", `${hash}:${commit}`), dependency: name };
}

function installed(field: string, revision: string): string[] {
  return ["condition=Ready", `jsonpath={.status.${field}}=${revision}`];
}
