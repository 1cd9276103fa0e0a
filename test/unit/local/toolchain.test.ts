import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareVersions } from "../../../lib/compareVersions";
import { debianRelease } from "../../../local/toolchain/debian";
import { officialUrl } from "../../../local/toolchain/engine";
import { canReach, networkEnvironment } from "../../../local/toolchain/network";
import { buildKey, isBuilt, type Program, type ProgramName, programOf } from "../../../local/toolchain/programs";

const modules = join(__dirname, "../../../local/toolchain/modules");
const names: ProgramName[] = [
  "pulumi",
  "pulumi-language-nodejs",
  "yq",
  "kyverno",
  "dockerd",
  "containerd",
  "runc",
  "registry",
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

  for (const name of ["pulumi", "pulumi-language-nodejs", "yq", "kyverno", "runc", "containerd", "registry"] as const) {
    it(`have the version of ${name} in its module too`, () => {
      const { version } = programOf(name);
      assert.ok(readFileSync(join(modules, name, "go.mod"), "utf8").includes(` v${version}\n`), version);
    });
  }

  it("have the version of the SDK that the engine works with", () => {
    const sdk = JSON.parse(readFileSync(join(__dirname, "../../../node_modules/@pulumi/pulumi/package.json"), "utf8"));
    assert.equal(programOf("pulumi").version, sdk.version);
    assert.ok(officialUrl()?.includes(sdk.version));
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
      AWS_SECRET_ACCESS_KEY: "k",
      GOFLAGS: "-x",
    };
    assert.deepEqual(networkEnvironment(env), { HTTPS_PROXY: "p", no_proxy: "n", GOPROXY: "g", SSL_CERT_FILE: "c" });
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
