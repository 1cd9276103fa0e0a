// What must not happen: bad input, a gate that fails, a version that is taken, a registry or an engine that is not there.
// Each time one clear sentence, and every tag stays where it was.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecResult } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { pushTool, smallConfiguration } from "../support/smallStack";

const client = new RegistryClient();
const policy = "policies/security-policy/policies/disallow-latest-tag.yaml";

describe("a stack that must not release", function () {
  this.timeout(120_000);
  let behind: TestRegistry;
  let registry: ScriptedServer;
  let project: Project;

  const releases = () => parseRepository(`${registry.host}/releases/policy-platform`);
  /** Every tag and what it points at. */
  const tags = async () => {
    const names = await client.tags(releases());
    return Object.fromEntries(
      await Promise.all(names.sort().map(async (name) => [name, (await client.resolve(releases(), name))?.digest])),
    );
  };
  /** Milliseconds that a refusal may take: what the first release took, on this machine as busy as it is, twice and some. */
  let patience: number;
  /** `run` must fail with `message`, quickly, and without a stack. Returns the screen. */
  const fails = async (run: Promise<ExecResult>, message: RegExp) => {
    const start = performance.now();
    const { code, stdout, stderr } = await run;
    const took = performance.now() - start;
    const screen = stdout + stderr;
    assert.notEqual(code, 0, screen);
    assert.match(screen, message);
    assert.doesNotMatch(screen, /\n\s+at .*\(.*:\d+:\d+\)/, "a user sees a sentence, not a stack");
    assert.ok(took < patience, `took ${took} ms of ${patience}\n${screen}`);
    return screen;
  };
  /** Runs `pulumi <args>`, which must fail like this and leave every tag alone. */
  const refused = async (message: RegExp, ...args: string[]) => {
    const before = await tags();
    const screen = await fails(project.pulumi(...args), message);
    assert.deepEqual(await tags(), before);
    return screen;
  };
  const up = ["up", "--yes", "--skip-preview"];

  before(async () => {
    behind = await startRegistry();
    registry = await startScriptedServer(() => "forward", { forwardTo: behind.host, keepBodies: false });
    project = await createProject(await smallConfiguration(registry.host));
    const start = performance.now();
    await project.up();
    patience = 2 * (performance.now() - start) + 5_000;
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
    await behind?.stop();
  });

  describe("because of its configuration", () => {
    let good: string;
    beforeEach(() => {
      project.configure((config) => {
        good = JSON.stringify(config);
      });
    });
    afterEach(() =>
      project.configure((config) => {
        for (const key of Object.keys(config)) delete config[key];
        Object.assign(config, JSON.parse(good));
      }),
    );

    it("is told every error at once, each with its key and the line that fixes it", async () => {
      project.configure((config) => {
        config["policy-platform:tools"].greet.image = `${registry.host}/layers/tools/greet:latest`;
        config["policy-platform:base"].image = "not a reference";
        config["policy-platform:policies"]["security-policy"].folder = "policies/missing";
        config["policy-platform:toolz"] = {};
        config["policy-platform:policies"]["../up"] = { folder: "policies/security-policy" };
      });
      const screen = await refused(/5 errors in Pulumi\.local\.yaml/, "preview");
      for (const part of [
        "tools.greet.image",
        "base.image",
        "policies/missing",
        "toolz",
        "../up",
        "pulumi config set",
        "policy-platform pin greet",
      ])
        assert.ok(screen.includes(part), `${part} in\n${screen}`);
    });

    it("is told the file and the line of broken YAML in a policy folder", async () => {
      writeFileSync(
        join(project.dir, "policies/security-policy/policies/broken.yaml"),
        "apiVersion: kyverno.io/v1\nkind: [\n",
      );
      try {
        await refused(/policies\/security-policy\/policies\/broken\.yaml:\d+: /, "preview");
      } finally {
        rmSync(join(project.dir, "policies/security-policy/policies/broken.yaml"));
      }
    });

    it("is told of a kind that no Kyverno knows and of a policy that stands in two repositories, before anything is built", async () => {
      const folder = join(project.dir, "policies/other-policy");
      const policy = (kind: string, name: string) =>
        `apiVersion: kyverno.io/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n`;
      mkdirSync(folder);
      writeFileSync(join(folder, "typo.yaml"), policy("ClusterPolcy", "typo"));
      writeFileSync(join(folder, "twice.yaml"), policy("ClusterPolicy", "disallow-latest-tag"));
      writeFileSync(join(folder, "zweimal.yaml"), policy("ClusterPolicy", "disallow-latest-tag"));
      project.configure((config) => {
        config["policy-platform:policies"]["other-policy"] = { folder: "policies/other-policy" };
      });
      try {
        for (const command of [["preview"], up]) {
          const screen = await refused(
            /other-policy\/typo\.yaml:1: ClusterPolcy of kyverno\.io\/v1 is not known to Kyverno: its kinds are /,
            ...command,
          );
          assert.match(screen, /other-policy\/zweimal\.yaml:1: ClusterPolicy disallow-latest-tag is in .* already/);
          assert.doesNotMatch(screen, /image-build/);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    it("is refused a version below what its changes require, with the one that is right", async () => {
      project.configure((config) => {
        config["policy-platform:tools"].greet.version = "1.1.0";
        config["policy-platform:version"] = "v1.0.1";
      });
      await refused(
        /version v1\.0\.1 is too low: the last release is v1\.0\.0 \(since then: [^)]+\); the next version is at least v2\.0\.0; pulumi config set policy-platform:version v2\.0\.0/,
        "preview",
      );
    });

    it("is refused a version that other inputs have, at preview already", async () => {
      project.configure((config) => {
        config["policy-platform:version"] = "v1.0.0";
        config["policy-platform:image"] = { name: "policy-platform", user: "0:0" };
      });
      const taken =
        /releases\/policy-platform:v1\.0\.0 already names another image, sha256:[0-9a-f]{64}: its inputs are sha256:[0-9a-f]{64}, and those of this release are sha256:[0-9a-f]{64}; a version never moves; take the next free one: pulumi config set policy-platform:version v1\.0\.1/;
      await refused(taken, "preview");
      const update = await refused(taken, ...up);
      assert.doesNotMatch(update, /image-build|release-/, "an update stops before its first resource");
    });
  });

  describe("because its gate fails", () => {
    const withTool = async (pin: unknown, test: () => Promise<void>) => {
      let before: string;
      project.configure((config) => {
        before = JSON.stringify(config["policy-platform:tools"]);
        config["policy-platform:tools"] = { ...config["policy-platform:tools"], other: pin };
      });
      try {
        await test();
      } finally {
        project.configure((config) => {
          config["policy-platform:tools"] = JSON.parse(before);
        });
      }
    };

    const refusedBy = (detail: string) =>
      new RegExp(
        `the gate refuses \\S+/candidates/policy-platform@sha256:[0-9a-f]{64}: smoke: other: ${detail}; whole output in \\S+ smoke-other\\.txt; only an image that has passed every check is tagged`,
      );

    it("keeps every tag when a tool prints another version, also after a refresh, and fails again", async () => {
      await withTool(await pushTool(registry.host, "other", "2.0.0", "echo other 2.0.1"), async () => {
        const refusal = refusedBy("`/usr/local/bin/other --version` prints version 2\\.0\\.1; 2\\.0\\.0 is pinned");
        await refused(refusal, ...up);
        await project.pulumi("refresh", "--yes", "--skip-preview");
        await refused(refusal, ...up);
      });
    });

    it("keeps every tag when a tool hangs, within the time that the stack allows", async () => {
      await withTool(await pushTool(registry.host, "other", "2.0.0", "sleep 600"), async () => {
        project.configure((config) => {
          config["policy-platform:gate"] = { smoke: { timeout: "2s" } };
        });
        await refused(refusedBy("`/usr/local/bin/other --version` did not end within 2 s, and printed nothing"), ...up);
        project.configure((config) => {
          delete config["policy-platform:gate"];
        });
      });
    });

    it("keeps every tag when the version tag alone is asked for, or the gate is left out", async () => {
      appendFileSync(join(project.dir, policy), "# edited\n");
      try {
        const urn = (name: string, type: string) => `urn:pulumi:local::policy-platform::${type}::${name}`;
        const version = urn("release-version", "policychain:index:Release$policychain:index:Tag");
        const gate = urn("gate-run", "policychain:index:ReleaseGate$policychain:index:GateRun");
        const otherInputs =
          /releases\/policy-platform@sha256:[0-9a-f]{64} was built from inputs sha256:[0-9a-f]{64}, and v1\.0\.1 is to be made from sha256:[0-9a-f]{64}; a tag goes only to the image that was built from the inputs of this release; run pulumi up --stack local without --target and --exclude/;
        await refused(otherInputs, ...up, "--target", version);
        await refused(otherInputs, ...up, "--exclude", gate);
      } finally {
        await expectSuccess(project.pulumi("up", "--yes", "--skip-preview"));
      }
      const { version, gate, image } = await project.outputs();
      assert.equal(version, "v1.0.1");
      assert.equal(gate.digest, image.digest);
    });

    it("says that a base has no shell, and releases nothing", async () => {
      const content = Buffer.from("nothing");
      const base = await layerImage([
        { path: "/etc/empty", executable: false, size: content.length, open: () => content },
      ]);
      const repository = parseRepository(`${registry.host}/layers/bare`);
      const digest = await pushLayerImage(client, repository, base);
      let before: string;
      project.configure((config) => {
        before = config["policy-platform:base"].image;
        config["policy-platform:base"].image = formatReference({ ...repository, digest });
      });
      await refused(
        /the gate refuses \S+@sha256:[0-9a-f]{64}: smoke: shell: the image has no \/bin\/bash: its base is without a shell; use a base with bash/,
        ...up,
      );
      project.configure((config) => {
        config["policy-platform:base"].image = before;
      });
    });
  });

  describe("because something is not there", () => {
    it("says that the registry refuses writes, and a later run ends well", async () => {
      appendFileSync(join(project.dir, policy), "# again\n");
      registry.answer(({ method }) => (method === "GET" || method === "HEAD" ? "forward" : { status: 405 }));
      try {
        await refused(
          /registry answered 405 to POST [^;]+; a release is written to its registry; take 127\.0\.0\.1:\d+ out of its read-only mode, or choose another registry/,
          ...up,
        );
      } finally {
        registry.answer(() => "forward");
      }
      await project.up();
    });

    it("says that the registry is full, and a later run ends well", async () => {
      appendFileSync(join(project.dir, policy), "# once more\n");
      registry.answer(({ method }) => (method === "GET" || method === "HEAD" ? "forward" : { status: 507 }));
      try {
        await refused(
          /registry answered 507 to POST [^;]+; a registry needs room for what is pushed; free space in the storage of 127\.0\.0\.1:\d+ and run again/,
          ...up,
        );
      } finally {
        registry.answer(() => "forward");
      }
      await project.up();
    });

    it("never takes a registry that refuses to be read for one that is free", async () => {
      for (const [status, sentence] of [
        [
          401,
          /registry 127\.0\.0\.1:\d+ answered 401 and asks for neither basic nor bearer authentication; credentials come from the docker config, its credential helpers included; docker login 127\.0\.0\.1:\d+/,
        ],
        [
          403,
          /registry answered 403 to GET [^;]+; the credentials must allow this; give the account of 127\.0\.0\.1:\d+/,
        ],
      ] as const) {
        registry.answer(() => ({ status }));
        try {
          await fails(project.pulumi("preview"), sentence);
        } finally {
          registry.answer(() => "forward");
        }
      }
    });

    it("says that no Docker engine answers, before anything is built", async () => {
      const dead = { DOCKER_HOST: "unix:///nowhere/docker.sock" };
      appendFileSync(join(project.dir, policy), "# no engine\n");
      const before = await tags();
      const screen = await fails(
        project.with(dead).pulumi(...up),
        /the Docker engine at unix:\/\/\/nowhere\/docker\.sock cannot be used: no engine listens there \(ENOENT\); images are built and tested by a Docker engine 23 or later/,
      );
      assert.doesNotMatch(screen, /gate-run|release-/, "nothing is tested or released");
      assert.deepEqual(await tags(), before);
      await project.up();
    });

    /** A run whose gate passes and whose release is refused; then a clean-up of candidates. */
    const leaveNoCandidate = async () => {
      registry.answer(({ method, path }) =>
        method === "PUT" && path.includes("/releases/") ? { status: 405 } : "forward",
      );
      await project.pulumi(...up);
      registry.answer(() => "forward");
      const candidates = parseRepository(`${registry.host}/candidates/policy-platform`);
      for (const tag of await client.tags(candidates)) {
        const found = await client.resolve(candidates, tag);
        if (found)
          await fetch(`http://${registry.host}/v2/${candidates.path}/manifests/${found.digest}`, { method: "DELETE" });
      }
    };

    it("says how to build again when the candidate is gone before its release, and that command ends well", async () => {
      const greet = await pushTool(registry.host, "greet", "1.0.9", "echo greet 1.0.9");
      project.configure((config) => {
        config["policy-platform:tools"] = { greet };
      });
      await leaveNoCandidate();
      const screen = await refused(/pulumi up --replace '([^']+)'/, ...up);
      const urn = /pulumi up --replace '([^']+)'/.exec(screen)![1]!;
      await project.up("--replace", urn);
      await project.up("--expect-no-changes");
    });

    it("builds again by itself when a candidate is gone whose build had started from the last release", async () => {
      appendFileSync(join(project.dir, policy), "# candidate gone\n");
      await leaveNoCandidate();
      await project.up();
      await project.up("--expect-no-changes");
    });
  });

  describe("because of what others released", () => {
    it("reports an image that was released by hand under a higher, unlabelled tag as foreign, and how to go on", async () => {
      const content = Buffer.from("by hand");
      const image = await layerImage([
        { path: "/etc/hand", executable: false, size: content.length, open: () => content },
      ]);
      const digest = await pushLayerImage(client, releases(), image);
      const { bytes, mediaType } = (await client.manifest(releases(), digest))!;
      await client.putManifest(releases(), "v7.0.0", bytes, mediaType);
      await refused(
        /the highest version tag v7\.0\.0 is on a foreign image: it does not name its pins; [^;]+; pulumi config set policy-platform:version v7\.0\.1/,
        "preview",
      );
      await expectSuccess(project.pulumi("config", "set", "policy-platform:version", "v7.0.1"));
      await project.up();
      assert.equal((await project.outputs()).version, "v7.0.1");
    });
  });
});
