// The engine's client on a real engine and a real registry.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DockerEngine } from "../../lib/docker/engine";
import type { PlatformError } from "../../lib/errors";
import { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { imageLabels } from "../../lib/oci/imageConfig";
import { parseReference } from "../../lib/oci/reference";
import {
  dockerfileContext,
  pushFiles,
  shellFiles,
  startDockerEngine,
  type TestEngine,
  textFile,
} from "../support/dockerEngine";
import { startRegistry, type TestRegistry } from "../support/registry";

const coded =
  (code: string, ...parts: RegExp[]) =>
  (error: PlatformError) => {
    assert.equal(error.code, code, error.stack);
    for (const part of parts) assert.match(error.message, part);
    return true;
  };

/** True when a process of this machine was started with this command line. */
const running = (commandLine: string) =>
  readdirSync("/proc").some((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `${commandLine.replaceAll(" ", "\0")}\0`;
    } catch {
      return false; // no process, or one that ended while we looked
    }
  });

describe("a real Docker engine", function () {
  this.timeout(60_000);
  let docker: TestEngine;
  let engine: DockerEngine;
  let registry: TestRegistry;
  let client: RegistryClient;
  let base: string;
  let tool: string;
  const made = new Set<string>();

  before(async () => {
    [docker, registry] = await Promise.all([startDockerEngine({ own: true }), startRegistry()]);
    engine = docker.engine;
    client = new RegistryClient();
    base = await pushFiles(client, `${registry.host}/layers/base`, shellFiles());
    tool = await pushFiles(client, `${registry.host}/layers/tool`, [
      textFile("/usr/local/bin/tool", "#!/bin/bash\necho tool 1.2.3\n", true),
    ]);
  });
  after(async () => {
    for (const name of made) await engine.removeImage(name);
    await registry.stop();
    await docker.stop();
  });

  const dockerfile = (...more: string[]) =>
    dockerfileContext([
      "ARG SOURCE_DATE_EPOCH",
      `FROM ${tool} AS tool`,
      `FROM ${base}`,
      "COPY --link --from=tool / /",
      'LABEL dev.policychain.example="{\\"a\\":\\"\\$b\\"}"',
      "ENV PATH=/usr/local/bin:/bin HOME=/tmp",
      "USER 65532:65532",
      "WORKDIR /repos",
      'CMD ["/bin/bash"]',
      ...more,
    ]);
  const name = (path: string) => {
    const reference = `${registry.host}/${path}`;
    made.add(reference);
    return reference;
  };
  const buildArgs = { SOURCE_DATE_EPOCH: "0" };

  it("builds, pushes, and the registry has the digest that it reports", async () => {
    const steps: string[] = [];
    const reference = name("candidates/a:1");
    await engine.build({ contextTar: dockerfile(), tags: [reference], buildArgs, onStep: (step) => steps.push(step) });
    const digest = await engine.push(reference);
    assert.equal((await client.resolve(parseReference(reference), "1"))?.digest, digest);
    assert.deepEqual(await imageLabels(client, parseReference(reference), digest), {
      "dev.policychain.example": '{"a":"$b"}',
    });
    assert.ok(
      steps.some((step) => step.includes("COPY --link --from=tool / /")),
      steps.join("\n"),
    );
    const image = await engine.inspectImage(reference);
    assert.deepEqual([image?.user, image?.command, image?.entrypoint], ["65532:65532", ["/bin/bash"], []]);
  });

  it("gives the same digest when the image is removed and built again without any cache", async () => {
    const digests = new Set<Digest>();
    for (let round = 0; round < 2; round++) {
      const reference = name("candidates/again:1");
      await engine.pruneBuildCache();
      await engine.build({ contextTar: dockerfile(), tags: [reference], buildArgs });
      digests.add(await engine.push(reference));
      await engine.removeImage(reference);
    }
    assert.equal(digests.size, 1);
  });

  it("names the failing step and the end of its log", async () => {
    const contextTar = dockerfileContext([
      `FROM ${base}`,
      'RUN ["/bin/bash","-c","for i in {1..40}; do echo line $i; done; exit 7"]',
    ]);
    await assert.rejects(
      engine.build({ contextTar, tags: [name("candidates/bad:1")], network: "none" }),
      coded("build-failed", /candidates\/bad:1/, /RUN \["\/bin\/bash"/, /exit code: 7/, /\| line 21\n.*\| line 40$/s),
    );
  });

  it("says that a base is gone from its registry", async () => {
    const gone = `${registry.host}/layers/base@sha256:${"0".repeat(64)}`;
    await assert.rejects(
      engine.build({ contextTar: dockerfileContext([`FROM ${gone}`]), tags: [name("candidates/gone:1")] }),
      coded("build-failed", /layers\/base@sha256:0000/, /not found/, /push it again or pin one that is there/),
    );
  });

  it("says what is wrong with a push to a registry that is down or read-only", async () => {
    const reference = name("candidates/a:1");
    await engine.build({ contextTar: dockerfile(), tags: [reference], buildArgs });
    const readOnly = await startRegistry({ readOnly: true });
    const elsewhere = name("candidates/elsewhere:1").replace(registry.host, readOnly.host);
    made.add(elsewhere);
    await engine.build({ contextTar: dockerfile(), tags: [elsewhere], buildArgs });
    try {
      await assert.rejects(engine.push(elsewhere), coded("push-failed", /candidates\/elsewhere:1/));
    } finally {
      await readOnly.stop();
    }
    await assert.rejects(engine.push(elsewhere), coded("push-failed", /connection refused/, /start the registry/));
  });

  it("pulls by digest what it does not have", async () => {
    const reference = name("candidates/pulled:1");
    await engine.build({ contextTar: dockerfile(), tags: [reference], buildArgs });
    const pinned = reference.replace(":1", `@${await engine.push(reference)}`);
    for (const known of (await engine.inspectImage(reference))!.repoDigests) await engine.removeImage(known);
    await engine.removeImage(reference);
    assert.equal(await engine.inspectImage(pinned), undefined);
    await engine.pull(pinned);
    made.add(pinned);
    assert.ok(await engine.inspectImage(pinned));
    await assert.rejects(
      engine.pull(reference.replace(":1", `@sha256:${"0".repeat(64)}`)),
      coded("pull-failed", /sha256:0000/),
    );
  });

  describe("with a registry that asks for credentials", () => {
    let closed: TestRegistry;
    let lockedBase: string;
    const auth =
      (asked: string[], password = "secret") =>
      async (host: string) => {
        asked.push(host);
        return host === closed.host ? { username: "tester", password } : undefined;
      };

    before(async () => {
      closed = await startRegistry({ basic: true });
      const admitted = new RegistryClient({
        credentials: { find: async () => ({ username: "tester", password: "secret" }) },
      });
      // Other bytes than the open registry's base: the engine must not have them already.
      lockedBase = await pushFiles(admitted, `${closed.host}/layers/base`, [
        ...shellFiles(),
        textFile("/only-here", String(Date.now())),
      ]);
    });
    after(() => closed.stop());

    it("pulls bases and pushes with the credentials of that very host, asking for no other's", async () => {
      const asked: string[] = [];
      const reference = `${closed.host}/candidates/a:1`;
      made.add(reference);
      const contextTar = dockerfileContext([
        `FROM ${tool} AS tool`,
        `FROM ${lockedBase}`,
        "COPY --link --from=tool / /",
      ]);
      await engine.build({ contextTar, tags: [reference], auth: auth(asked) });
      const digest = await engine.push(reference, { auth: auth(asked) });
      assert.match(digest, /^sha256:/);
      assert.ok(asked.includes(closed.host));
      assert.deepEqual(
        [...new Set(asked)].filter((host) => host !== closed.host && host !== registry.host),
        [],
      );
    });

    it("says that nobody is let in, without and with wrong credentials", async () => {
      const contextTar = () => dockerfileContext([`FROM ${lockedBase}`, `LABEL now="${Date.now()}"`]);
      const tags = [`${closed.host}/candidates/b:1`];
      await engine.removeImage(`${closed.host}/candidates/a:1`);
      await engine.pruneBuildCache();
      await assert.rejects(engine.build({ contextTar: contextTar(), tags }), coded("build-failed", /docker login/));
      await assert.rejects(
        engine.build({ contextTar: contextTar(), tags, auth: auth([], "wrong") }),
        coded("build-failed", /docker login/),
      );
      await assert.rejects(engine.pull(lockedBase, { auth: auth([], "wrong") }), coded("pull-failed", /docker login/));
    });
  });

  describe("running a container", () => {
    let image: string;
    const spec = () => ({
      image,
      memoryBytes: 64 * 1024 * 1024,
      openStdin: true,
      autoRemove: true,
      labels: { "dev.policychain.test": "1" },
    });
    const started = async () => {
      const id = await engine.createContainer(spec());
      const connection = await engine.attach(id);
      connection.on("error", () => undefined);
      await engine.start(id);
      return { id, connection };
    };
    const gone = async (id: string) => {
      for (let attempt = 0; attempt < 100 && (await engine.state(id)); attempt++) await sleep(50);
      return (await engine.state(id)) === undefined;
    };

    before(async () => {
      image = name("candidates/run:1");
      await engine.build({ contextTar: dockerfile(), tags: [image], buildArgs });
    });
    afterEach(async () => {
      assert.deepEqual(await engine.list("dev.policychain.test"), []);
    });

    it("runs a program as the image's user, without a network and without a place to write but /tmp", async () => {
      const { id } = await started();
      try {
        const run = (script: string) => engine.exec(id, ["bash", "-c", script]);
        assert.equal((await engine.exec(id, ["tool"])).output, "tool 1.2.3\n");
        assert.equal((await run("echo $EUID; exit 3")).output, "65532\n");
        assert.equal((await run("exit 3")).code, 3);
        assert.notEqual((await run("echo x > /x")).code, 0);
        assert.match((await run("cat() { while read -r l; do echo $l; done; }; cat < /proc/net/dev")).output, /lo:/);
        assert.doesNotMatch((await run("while read -r l; do echo $l; done < /proc/net/dev")).output, /eth/);
        assert.match(
          (await run("while read -r l; do echo $l; done < /proc/self/status")).output,
          /CapEff:\s*0000000000000000[\s\S]*NoNewPrivs:\s*1/,
        );
      } finally {
        await engine.remove(id);
      }
    });

    it("is gone when the one who attached to it hangs up", async () => {
      const { id, connection } = await started();
      connection.destroy();
      assert.ok(await gone(id));
    });

    it("is gone when the process that started it is killed", async () => {
      const script = `
        const { DockerEngine } = require(${JSON.stringify(join(__dirname, "../../lib/docker/engine"))});
        const engine = DockerEngine.fromEnvironment({ DOCKER_HOST: ${JSON.stringify(docker.host)} });
        (async () => {
          const id = await engine.createContainer(${JSON.stringify(spec())});
          await engine.attach(id);
          await engine.start(id);
          process.stdout.write(id);
          await engine.exec(id, ["sleep", "1000"]);
        })();`;
      const child = execFile(process.execPath, ["--require", "tsx/cjs", "-e", script]);
      const id = await new Promise<string>((resolve) => child.stdout!.on("data", (text) => resolve(String(text))));
      assert.equal((await engine.state(id))?.running, true);
      child.kill("SIGKILL");
      assert.ok(await gone(id));
    });

    it("ends with an abort while its program runs", async () => {
      const { id } = await started();
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("cancelled")), 200);
      await assert.rejects(engine.exec(id, ["sleep", "1000"], { signal: controller.signal }), /cancelled/);
      await engine.remove(id);
    });
  });

  it("stops a build at once when it is cancelled, and the engine stops too", async () => {
    const controller = new AbortController();
    const contextTar = dockerfileContext([`FROM ${base}`, `RUN ["/bin/bash","-c","echo ${Date.now()}; sleep 601"]`]);
    const started = Date.now();
    await assert.rejects(
      engine.build({
        contextTar,
        tags: [name("candidates/slow:1")],
        network: "none",
        signal: controller.signal,
        onStep: (step) => step.includes("RUN") && setTimeout(() => controller.abort(new Error("cancelled")), 300),
      }),
      /cancelled/,
    );
    assert.ok(Date.now() - started < 10_000);
    for (let attempt = 0; attempt < 50 && running("sleep 601"); attempt++) await sleep(100);
    assert.equal(running("sleep 601"), false);
  });
});
