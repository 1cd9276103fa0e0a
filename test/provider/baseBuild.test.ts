// The one RUN there is, on a real Docker engine: what it installs and leaves behind, and what is said when it cannot.
import assert from "node:assert/strict";
import { baseFailure } from "../../lib/base/failure";
import { baseDocument, baseLabel, type Packages } from "../../lib/base/packages";
import { renderBase } from "../../lib/dockerfile/renderBase";
import { RegistryClient } from "../../lib/oci/client";
import type { LayerEntry } from "../../lib/oci/layerEntry";
import { offeredVersions, pushAptBase } from "../support/aptBase";
import {
  dockerfileContext,
  pushFiles,
  shellFiles,
  startDockerEngine,
  type TestEngine,
  textFile,
} from "../support/dockerEngine";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { runImage } from "../support/runImage";

/** What apk answers to the four questions that the script asks; its index is the file `/index`, `name version` a line. */
const standInApk = `#!/bin/sh
case "$1" in
update) [ -f /index ] || { echo "WARNING: fetching https://mirror.example.com: could not connect" >&2; exit 4; }; : > /var/cache/apk/APKINDEX.tar.gz;;
policy) found=; while read -r name version; do if [ "$name" = "$2" ]; then [ -n "$found" ] || echo "$2 policy:"; found=yes; echo "  $version:"; echo "    https://mirror.example.com/main"; fi; done < /index;;
info) while read -r pin; do [ "$pin" = "$3" ] && exit 0; done < /lib/apk/db/installed; exit 1;;
add) shift; for pin; do echo "$pin" >> /lib/apk/db/installed; done; echo "OK: 8 MiB in 16 packages";;
esac
`;

describe("the step that installs the packages of a base", function () {
  this.timeout(180_000);
  const client = new RegistryClient();
  let docker: TestEngine;
  let registry: TestRegistry;
  let name: string;

  before(async () => {
    [docker, registry] = await Promise.all([startDockerEngine(), startRegistry()]);
    name = `${registry.host}/layers/base:test`;
  });
  after(async () => {
    await docker?.engine.removeImage(name);
    await Promise.all([registry?.stop(), docker?.stop()]);
  });

  const build = async (image: string, packages: Packages, user = "") => {
    const contextTar = dockerfileContext([renderBase({ image, packages }, user)]);
    const where = { network: "host", platform: "linux/amd64" };
    await docker.engine.build({ contextTar, tags: [name], ...where, explain: baseFailure });
    return `${registry.host}/layers/base@${await docker.engine.push(name)}`;
  };
  const push = (files: readonly LayerEntry[]) => pushFiles(client, `${registry.host}/layers/debian`, files);
  const run = async (image: string, ...argv: string[]) => {
    const { code, stdout, stderr } = await runImage(image, argv, { env: { DOCKER_HOST: docker.host } });
    assert.equal(code, 0, stderr);
    return stdout;
  };

  describe("with apt", () => {
    let image: string;
    let hello: string;
    before(async () => {
      ({ hello } = await offeredVersions("hello"));
      image = await pushAptBase(client, `${registry.host}/layers/debian`, { user: "nonroot" });
    });

    it("installs the very version, leaves no index, cache or log, and gives the base its user back", async () => {
      const base = await build(image, { apt: { hello } }, "nonroot");
      assert.match(await run(base, "dpkg-query", "-W", "hello"), new RegExp(`^hello\\s+${hello}$`, "m"));
      const left = "echo /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /var/cache/debconf/*-old /tmp/* /install";
      assert.doesNotMatch(await run(base, "bash", "-O", "nullglob", "-c", left), /\/var|\/tmp/);
      assert.equal((await run(base, "bash", "-c", "echo $EUID")).trim(), "65532");
    });

    it("takes a package that the base has at that version already, whatever the index says", async () => {
      const installed = (
        await run(await build(image, { apt: { hello } }), "dpkg-query", "-W", "-f=${Version}", "bash")
      ).trim();
      await build(image, { apt: { bash: installed } });
    });

    it("names every pin that cannot be had, with the versions that there are", async () => {
      const packages = { apt: { hello: "0.0-1", "no-such-package": "1.0", bash: "99.0-1" } };
      const { message } = await refused("base-package-version", () => build(image, packages));
      assert.ok(message.includes(`hello 0.0-1 is not in the package index any more, which has ${hello}`), message);
      assert.match(message, /bash 99\.0-1 is not in the package index any more, which has \d/);
      assert.match(message, /no package no-such-package is in the package index/);
    });

    it("does not take a package's name for a pattern", async () => {
      await refused("base-package-missing", () => build(image, { apt: { "h.llo": hello } }));
    });

    it("tells a mirror that cannot be reached, with what apt says of it", async () => {
      const sources = "Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: stable\nComponents: main\n";
      const unreachable = await pushAptBase(client, `${registry.host}/layers/debian`, { sources });
      const { message } = await refused("base-index", () => build(unreachable, { apt: { hello } }));
      assert.match(message, /the package index cannot be read, E: Failed to fetch http:\/\/127\.0\.0\.1:9/);
    });

    it("tells that the base has the other package manager", async () => {
      const { message } = await refused("base-manager", () => build(image, { apk: { bash: "5.2.37-r0" } }));
      assert.match(message, /the base has no apk; .*; give the packages under the package manager that the base has/);
    });
  });

  describe("without what it needs", () => {
    it("tells that there is no shell", async () => {
      const { message } = await refused("base-shell-missing", async () =>
        build(await push(shellFiles()), { apt: { hello: "1" } }),
      );
      assert.match(message, /has no \/bin\/sh; .*; pin a base that has both/);
    });

    it("tells that there is no package manager", async () => {
      for (const [manager, program] of [
        ["apk", "apk"],
        ["apt", "apt-get"],
      ] as const) {
        const { message } = await refused("base-manager", async () =>
          build(await push(shell()), { [manager]: { hello: "1-r0" } }),
        );
        assert.match(message, new RegExp(`the base has no ${program};`));
      }
    });
  });

  describe("with apk", () => {
    const alpine = (index?: string) =>
      push([
        ...shell(),
        textFile("/bin/apk", standInApk, true),
        textFile("/lib/apk/db/installed", "busybox=1.37.0-r12\n"),
        textFile("/var/cache/apk/.keep", ""),
        ...(index === undefined ? [] : [textFile("/index", index)]),
      ]);
    const index = "bash 5.2.37-r0\nbash 5.2.26-r0\nca-certificates 20250911-r0\n";

    it("stand-in: apk installs the very versions, and its index is not left behind", async () => {
      const packages = { apk: { bash: "5.2.26-r0", "ca-certificates": "20250911-r0", busybox: "1.37.0-r12" } };
      const base = await build(await alpine(index), packages);
      const installed = await run(base, "/bin/sh", "-c", "cat /lib/apk/db/installed; echo /var/cache/apk/*");
      for (const pin of ["bash=5.2.26-r0", "ca-certificates=20250911-r0"])
        assert.ok(installed.includes(pin), installed);
      assert.doesNotMatch(installed, /APKINDEX/);
    });

    it("stand-in: apk names every pin that cannot be had, with the versions that there are", async () => {
      const image = await alpine(index);
      const { message } = await refused("base-package-version", () =>
        build(image, { apk: { bash: "5.1.0-r0", zsh: "5.9-r4" } }),
      );
      assert.match(
        message,
        /bash 5\.1\.0-r0 is not in the package index any more, which has 5\.2\.37-r0, 5\.2\.26-r0, no package zsh/,
      );
    });

    it("stand-in: apk cannot reach its mirror", async () => {
      const image = await alpine();
      const { message } = await refused("base-index", () => build(image, { apk: { bash: "5.2.37-r0" } }));
      assert.match(message, /cannot be read, WARNING: fetching https:\/\/mirror\.example\.com/);
    });
  });

  it("labels the base with its pins, whatever the packages are called", async () => {
    const image = await push([
      ...shell(),
      textFile("/bin/apk", standInApk, true),
      textFile("/lib/apk/db/installed", "g++=1-r0\n"),
      textFile("/index", "x 1\n"),
      textFile("/var/cache/apk/.keep", ""),
    ]);
    const packages = { apk: { "g++": "1-r0" } };
    await build(image, packages);
    const details = await docker.engine.inspectImage(name);
    assert.equal(details!.labels[baseLabel], baseDocument({ image, packages }));
  });
});

/** A shell that is called so, and what the scripts use beside it. */
function shell(): LayerEntry[] {
  return shellFiles(["sh", "rm", "cat"]).map((file) =>
    /^\/bin\/(dash|bash|busybox)$/.test(file.path) ? { ...file, path: "/bin/sh" } : file,
  );
}
