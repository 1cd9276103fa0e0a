// Tools that need no explanation in a stack's configuration: where their releases are, how they are unpacked, how they tell
// their version. Any other tool says so itself.

export interface CatalogueEntry {
  /** The linux/amd64 release of a version, `1.13.2` without a leading `v`. */
  readonly url: (version: string) => string;
  /** Page that redirects to the newest release; absent where it is beside `url`, as GitHub has it. */
  readonly latest?: string;
  /** Path of the binary in that archive; undefined where the download is the binary itself. */
  readonly member?: string;
  /** Absolute path of the binary in the image. */
  readonly path: string;
  /** How the gate asks for the version. Every byte of both streams is looked at, stdout first. */
  readonly smoke: {
    readonly args: readonly string[];
    /** Source of a regular expression with flag `m`; group 1 is the version, without a leading `v`. */
    readonly expect: string;
  };
}

/** By tool name, as it stands in `policy-platform:tools`. */
export const catalogue: Readonly<Record<string, CatalogueEntry>> = {
  kyverno: {
    url: (version) =>
      `https://github.com/kyverno/kyverno/releases/download/v${version}/kyverno-cli_v${version}_linux_x86_64.tar.gz`,
    member: "kyverno",
    path: "/usr/local/bin/kyverno",
    smoke: { args: ["version"], expect: "^Version: v?(\\S+)$" },
  },
  yq: {
    url: (version) => `https://github.com/mikefarah/yq/releases/download/v${version}/yq_linux_amd64`,
    path: "/usr/local/bin/yq",
    smoke: {
      args: ["--version"],
      expect: "^yq \\(https://github\\.com/mikefarah/yq/\\) version v?(\\S+)$",
    },
  },
  pluto: {
    url: (version) =>
      `https://github.com/FairwindsOps/pluto/releases/download/v${version}/pluto_${version}_linux_amd64.tar.gz`,
    member: "pluto",
    path: "/usr/local/bin/pluto",
    smoke: { args: ["version"], expect: "^Version:v?(\\S+)" },
  },
  helm: {
    url: (version) => `https://get.helm.sh/helm-v${version}-linux-amd64.tar.gz`,
    latest: "https://github.com/helm/helm/releases/latest",
    member: "linux-amd64/helm",
    path: "/usr/local/bin/helm",
    smoke: { args: ["version"], expect: '^version\\.BuildInfo\\{Version:"v?([^"]+)"' },
  },
  spectral: {
    // For bases with glibc. On musl name `…/spectral-alpine-x64` yourself: `pin` keeps it.
    url: (version) => `https://github.com/stoplightio/spectral/releases/download/v${version}/spectral-linux-x64`,
    path: "/usr/local/bin/spectral",
    smoke: { args: ["--version"], expect: "^v?(\\d\\S*)$" },
  },
  conftest: {
    url: (version) =>
      `https://github.com/open-policy-agent/conftest/releases/download/v${version}/conftest_${version}_Linux_x86_64.tar.gz`,
    member: "conftest",
    path: "/usr/local/bin/conftest",
    // Earlier ones call it Version; a second line names its OPA.
    smoke: { args: ["--version"], expect: "^(?:Conftest|Version): v?(\\S+)$" },
  },
  opa: {
    // The other one, without `_static`, needs glibc.
    url: (version) => `https://github.com/open-policy-agent/opa/releases/download/v${version}/opa_linux_amd64_static`,
    path: "/usr/local/bin/opa",
    smoke: { args: ["version"], expect: "^Version: v?(\\S+)$" },
  },
  kubeconform: {
    url: (version) =>
      `https://github.com/yannh/kubeconform/releases/download/v${version}/kubeconform-linux-amd64.tar.gz`,
    member: "kubeconform",
    path: "/usr/local/bin/kubeconform",
    smoke: { args: ["-v"], expect: "^v?(\\d\\S*)$" },
  },
};
