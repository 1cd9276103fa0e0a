import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareVersions } from "../../../lib/compareVersions";
import { layoutOf } from "../../../local/layout";
import { debianRelease } from "../../../local/toolchain/debian";
import { officialUrl } from "../../../local/toolchain/engine";
import { canReach, networkEnvironment } from "../../../local/toolchain/network";
import {
  buildKey,
  isBuilt,
  npmProgramFolder,
  type Program,
  type ProgramName,
  programOf,
} from "../../../local/toolchain/programs";

const root = join(__dirname, "../../..");
const modules = join(root, "local/toolchain/modules");
const names: ProgramName[] = [
  "pulumi",
  "pulumi-language-nodejs",
  "yq",
  "kyverno",
  "pluto",
  "helm",
  "dockerd",
  "containerd",
  "runc",
  "registry",
  "crane",
  "etcd",
  "kubernetes",
  "source-controller",
  "kustomize-controller",
  "kyverno-controller",
];

describe("the programs built from Go modules", () => {
  const program: Program = { version: "1.0.0", what: "", binaries: { a: "x/a" }, ldflags: "-s", seconds: 1 };
  const key = (changed: Partial<Program> = {}, go = "go1.26.8", mod = "m", sum = "s") =>
    buildKey({ ...program, ...changed }, go, { mod, sum });

  it("are built again when Go, flags, packages or a pin changes, and only then", () => {
    const keys = [
      key(),
      key({ ldflags: "-w" }),
      key({ tags: "seccomp" }),
      key({ cgo: true }),
      key({ binaries: { b: "x/a" } }),
      key({ files: { crds: { module: "x", folder: "crds" } } }),
      key({ edit: { module: "x", file: "a.go", from: "b", to: "c" } }),
      key({}, "go1.26.9"),
      key({}, "go1.26.8", "m2"),
      key({}, "go1.26.8", "m", "s2"),
    ];
    assert.equal(new Set(keys).size, keys.length);
    assert.equal(key({ what: "another word", seconds: 2 }), key());
    assert.match(key(), /^[0-9a-f]{12}$/);
  });

  it("are there only when every binary of theirs is", () => {
    const folder = mkdtempSync(join(tmpdir(), "programs-"));
    try {
      assert.equal(isBuilt(folder, "containerd"), false);
      writeFileSync(join(folder, "containerd"), "");
      assert.equal(isBuilt(folder, "containerd"), false);
      writeFileSync(join(folder, "containerd-shim-runc-v2"), "");
      assert.equal(isBuilt(folder, "containerd"), true);
      mkdirSync(join(folder, "x"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  for (const name of names) {
    it(`have a module that names ${name} and its checksums`, () => {
      const mod = readFileSync(join(modules, name, "go.mod"), "utf8");
      for (const path of Object.values(programOf(name).binaries)) assert.ok(mod.includes(`tool ${path}`), path);
      const sum = readFileSync(join(modules, name, "go.sum"), "utf8");
      assert.match(sum, /^\S+ v\S+ h1:\S+=$/m);
    });
  }

  for (const name of names.filter((program) => program !== "dockerd")) {
    it(`have the version of ${name} in its module too`, () => {
      const { version } = programOf(name);
      assert.ok(readFileSync(join(modules, name, "go.mod"), "utf8").includes(` v${version}\n`), version);
    });
  }

  it("have one Kyverno in the image and in the local cluster, of one module graph", () => {
    const required = (name: ProgramName) =>
      new Set(readFileSync(join(modules, name, "go.mod"), "utf8").match(/^\t?\S+ v\S+/gm));
    const controller = required("kyverno-controller");
    assert.equal(programOf("kyverno-controller").version, programOf("kyverno").version);
    for (const line of required("kyverno")) assert.ok(controller.has(line), line);
  });

  it("have a helm that renders for the Kubernetes version of its client library, as its maker's does", () => {
    const minor = /^\tk8s\.io\/client-go v0\.(\d+)\./m.exec(readFileSync(join(modules, "helm/go.mod"), "utf8"))![1];
    for (const variable of ["pkg/chartutil.k8sVersion", "pkg/lint/rules.k8sVersion"]) {
      assert.ok(programOf("helm").ldflags!.includes(`${variable}Major=1 -X helm.sh/helm/v3/${variable}Minor=${minor}`));
    }
  });

  it("have the version of the SDK that the engine works with", () => {
    const sdk = JSON.parse(readFileSync(join(__dirname, "../../../node_modules/@pulumi/pulumi/package.json"), "utf8"));
    assert.equal(programOf("pulumi").version, sdk.version);
    assert.ok(officialUrl()?.includes(sdk.version));
  });
});

describe("the programs made of npm packages", () => {
  const recipe = join(root, "local/toolchain/npm/spectral");

  it("take only packages that the lock file pins by their content", () => {
    const { packages } = JSON.parse(readFileSync(join(recipe, "package-lock.json"), "utf8"));
    const { dependencies } = JSON.parse(readFileSync(join(recipe, "package.json"), "utf8"));
    for (const [path, { version, integrity }] of Object.entries<Record<string, string>>(packages)) {
      if (path !== "") assert.match(`${version} ${integrity}`, /^\d\S+ sha512-[A-Za-z0-9+/]+=*$/, path);
    }
    assert.equal(dependencies["@stoplight/spectral-cli"], programOf("spectral").version);
    for (const [name, version] of Object.entries(dependencies)) {
      assert.equal(packages[`node_modules/${name}`].version, version);
    }
  });

  it("are made again when a file of their recipe changes, and only then", () => {
    const dir = mkdtempSync(join(tmpdir(), "recipe-"));
    try {
      const copy = join(dir, "local/toolchain/npm/spectral");
      cpSync(recipe, copy, { recursive: true });
      const folder = () => npmProgramFolder(layoutOf(dir), "spectral");
      assert.equal(folder(), npmProgramFolder(layoutOf(root), "spectral"));
      const folders = [folder()];
      for (const file of ["package-lock.json", "build.mjs", "main.cjs", "warm/values.yaml"]) {
        writeFileSync(join(copy, file), "changed");
        folders.push(folder());
      }
      assert.equal(new Set(folders).size, folders.length);
      mkdirSync(join(copy, "node_modules"));
      writeFileSync(join(copy, "node_modules/x"), "");
      assert.equal(folder(), folders.at(-1));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("the way to the network", () => {
  it("is told to children without any token", () => {
    const env = {
      HTTPS_PROXY: "p",
      no_proxy: "n",
      GOPROXY: "g",
      SSL_CERT_FILE: "c",
      NPM_TOKEN: "t",
      npm_config_registry: "r",
      "npm_config_//r/:_authToken": "a",
      AWS_SECRET_ACCESS_KEY: "k",
      GOFLAGS: "-x",
    };
    assert.deepEqual(networkEnvironment(env), {
      HTTPS_PROXY: "p",
      no_proxy: "n",
      GOPROXY: "g",
      SSL_CERT_FILE: "c",
      npm_config_registry: "r",
    });
  });

  it("is looked at once, and briefly", async () => {
    const begun = performance.now();
    assert.equal(await canReach("http://127.0.0.1:1/x"), false);
    assert.equal(await canReach("http://nowhere.invalid/x", 500), false);
    assert.ok(performance.now() - begun < 3_000);
  });
});

describe("versions", () => {
  it("are compared by number, not by letter", () => {
    assert.ok(compareVersions("1.9", "1.44") < 0);
    assert.ok(compareVersions("20.10.24+dfsg1", "23") < 0);
    assert.ok(compareVersions("29.0.0", "23") > 0);
    assert.equal(compareVersions("1.26", "1.26.0"), 0);
  });
});

describe("the Debian release", () => {
  it("is read from os-release", () => {
    assert.equal(debianRelease('NAME="Debian"\nVERSION_CODENAME=bookworm\nID=debian\n'), "debian-bookworm");
    assert.equal(debianRelease('ID="ubuntu"\nVERSION_CODENAME="noble"\n'), "ubuntu-noble");
    assert.equal(debianRelease("ID=debian\n"), "debian-unknown");
  });
});
