import assert from "node:assert/strict";
import { catalogue } from "../../../lib/pins/catalogue";

/** What the real tools print, word for word: built from Go modules, and from a release. */
const printed: Record<string, { version: string; outputs: string[]; others: string[] }> = {
  kyverno: {
    version: "1.13.2",
    outputs: [
      "Version: v1.13.2\nTime: ---\nGit commit ID: ---\n",
      "Version: 1.13.2\nTime: 2024-12-10T12:09:15Z\nGit commit ID: 0f0c1c1c8e7e8c7ad5b0b2f3d3b7b1c9a0d1e2f3\n",
    ],
    others: ["", "kyverno: command not found", "Error: Version: \n"],
  },
  yq: {
    version: "4.54.1",
    outputs: [
      "yq (https://github.com/mikefarah/yq/) version v4.54.1\n",
      "yq (https://github.com/mikefarah/yq/) version 4.54.1\n",
    ],
    others: ["yq 3.1.0\n", "yq (https://github.com/other/yq/) version v4.54.1\n"],
  },
  pluto: {
    version: "5.21.1",
    outputs: ["Version:5.21.1 Commit:n/a\n", "Version:5.21.1 Commit:d45f6d122de3d99fc4b7576592939ff62655db66\n"],
    others: ["", "Version: \n", "pluto: command not found\n"],
  },
  helm: {
    version: "3.19.0",
    outputs: [
      'version.BuildInfo{Version:"v3.19.0", GitCommit:"", GitTreeState:"", GoVersion:"go1.26.8"}\n',
      'version.BuildInfo{Version:"v3.19.0", GitCommit:"3d8990f0", GitTreeState:"clean", GoVersion:"go1.24.7"}\n',
    ],
    others: ["", 'Client: &version.Version{SemVer:"v2.17.0"}\n', 'version.BuildInfo{Version:"", GitCommit:""}\n'],
  },
  conftest: {
    version: "0.71.1",
    outputs: ["Conftest: 0.71.1\nOPA: 1.21.1\n", "Version: 0.71.1\n"],
    others: ["", "Conftest: \n", "OPA: 0.71.1\n"],
  },
  opa: {
    version: "1.22.0",
    outputs: ["Version: 1.22.0\nBuild Commit: \nBuild Timestamp: \nGo Version: go1.26.8\nRego Version: v1\n"],
    others: ["", "Go Version: go1.26.8\n", "Rego Version: v1\n"],
  },
  kubeconform: { version: "0.7.0", outputs: ["v0.7.0\n"], others: ["", "development\n", "usage: v0.7.0\n"] },
  spectral: {
    version: "6.16.3",
    outputs: ["6.16.3\n"],
    others: ["", "spectral: command not found\n", "Error\n"],
  },
};

describe("the catalogue of tools", () => {
  for (const [name, entry] of Object.entries(catalogue)) {
    const { version, outputs, others } = printed[name]!;
    const find = (text: string) => new RegExp(entry.smoke.expect, "m").exec(text)?.[1];

    it(`finds the version in what ${name} prints`, () => {
      for (const output of outputs) assert.equal(find(output), version);
      for (const output of others) assert.equal(find(output), undefined);
    });

    it(`does not take a longer or shorter version of ${name} for the pinned one`, () => {
      for (const other of [`${version}0`, `1${version}`, `${version}-rc1`, `${version}+dirty`])
        assert.notEqual(find(outputs[0]!.replace(version, other)), version);
    });

    it(`names a release of ${name} that is https and holds the version`, () => {
      const url = new URL(entry.url(version));
      assert.equal(url.protocol, "https:");
      assert.ok(url.pathname.includes(`v${version}`));
      assert.equal(entry.path, `/usr/local/bin/${name}`);
    });
  }
});
