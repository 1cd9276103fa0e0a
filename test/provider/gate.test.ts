// The smoke check on real images in a real engine: each image has one thing wrong with it.
import assert from "node:assert/strict";
import type { DockerEngine } from "../../lib/docker/engine";
import type { PlatformError } from "../../lib/errors";
import type { ProgramLimits } from "../../lib/gate/container";
import { type GateOptions, type GateResult, runGate } from "../../lib/gate/run";
import type { ToolSmoke } from "../../lib/gate/smoke";
import { RegistryClient } from "../../lib/oci/client";
import type { LayerEntry } from "../../lib/oci/layerEntry";
import { mapRecord } from "../../lib/record";
import {
  dockerfileContext,
  gateContainersLeft,
  pushFiles,
  shellFiles,
  startDockerEngine,
  type TestEngine,
  textFile,
} from "../support/dockerEngine";
import { startRegistry, type TestRegistry } from "../support/registry";

const label = "dev.policychain.gate";
const limits = { timeoutSeconds: 20, memoryBytes: 64 * 1024 * 1024, outputBytes: 64 * 1024 };
const script = (body: string) => textFile("/usr/local/bin/tool", `#!/bin/bash\n${body}\n`, true);
const tool = (more: Partial<ToolSmoke> = {}): ToolSmoke => ({
  version: "1.2.3",
  command: ["tool", "version"],
  expect: "^tool (\\S+)$",
  ...more,
});
const policies = ["/repos/p/policies/a.yaml", "/repos/p/policies/b.yaml"];

interface SmokeSpec extends GateOptions {
  readonly image: string;
  readonly tools: Readonly<Record<string, ToolSmoke>>;
  readonly repositories: Readonly<Record<string, readonly string[]>>;
  readonly limits: ProgramLimits;
}

/** The gate on an image without kyverno, in which nothing but the smoke check can look at anything. */
async function runSmoke(engine: DockerEngine, spec: SmokeSpec): Promise<GateResult> {
  const { image, tools, repositories, limits, ...options } = spec;
  const { passed, checks } = await runGate(
    engine,
    {
      image,
      tools,
      repositories: mapRecord(repositories, (paths) => ({ paths })),
      limits: { smoke: limits, checks: limits },
      policyTests: "optional",
      environments: [],
      integration: {},
    },
    options,
  );
  const others = checks.filter(({ name }) => !name.startsWith("smoke:"));
  assert.ok(others.every(({ status }) => status === "skipped"));
  const own = checks.filter((check) => !others.includes(check));
  return { passed, checks: own.map(({ name, status, detail }) => ({ name, status, detail })) };
}

describe("the smoke check", function () {
  this.timeout(60_000);
  let docker: TestEngine;
  let engine: DockerEngine;
  let registry: TestRegistry;
  let client: RegistryClient;
  let base: string;
  const made = new Set<string>();

  before(async () => {
    [docker, registry] = await Promise.all([startDockerEngine(), startRegistry()]);
    engine = docker.engine;
    client = new RegistryClient();
    base = await pushFiles(client, `${registry.host}/layers/base`, shellFiles());
  });
  after(async () => {
    for (const name of made) await engine.removeImage(name);
    await registry.stop();
    await docker.stop();
  });
  afterEach(async () => assert.deepEqual(await gateContainersLeft(engine), [], "a container was left behind"));

  /** Builds and pushes an image of these files, on the base with a shell or on nothing, and returns `repository@digest`. */
  const image = async (files: readonly LayerEntry[], { bare = false, lines = ['CMD ["/bin/bash"]'] } = {}) => {
    const layer = await pushFiles(client, `${registry.host}/layers/files`, files);
    const reference = `${registry.host}/candidates/x:${made.size}`;
    made.add(reference);
    const stages = bare
      ? [`FROM ${layer}`]
      : [`FROM ${layer} AS files`, `FROM ${base}`, "COPY --link --from=files / /"];
    const contextTar = dockerfileContext([
      ...stages,
      "ENV PATH=/usr/local/bin:/bin HOME=/tmp",
      "USER 65532:65532",
      ...lines,
    ]);
    await engine.build({ contextTar, tags: [reference], buildArgs: { SOURCE_DATE_EPOCH: "0" } });
    const pinned = reference.replace(/:\d+$/, `@${await engine.push(reference)}`);
    made.add(pinned);
    return pinned;
  };
  const whole = (...files: LayerEntry[]) => [...policies.map((path) => textFile(path, "kind: x\n")), ...files];
  const smoke = async (files: readonly LayerEntry[], more: object = {}, bare = false): Promise<GateResult> =>
    runSmoke(engine, {
      image: await image(files, { bare }),
      tools: { tool: tool() },
      repositories: { p: policies },
      limits,
      ...more,
    });
  const failures = ({ checks, passed }: GateResult) => {
    const failed = checks.filter(({ status }) => status === "failed");
    assert.equal(passed, failed.length === 0);
    return failed.map(({ name, detail }) => `${name}: ${detail}`);
  };

  it("passes an image whose tools and files are the pinned ones", async () => {
    const said: string[] = [];
    const result = await smoke(whole(script("echo tool 1.2.3")), { progress: (text: string) => said.push(text) });
    assert.deepEqual(result, {
      passed: true,
      checks: [
        { name: "smoke: shell", status: "passed", detail: "/bin/bash runs as 65532:65532" },
        { name: "smoke: tool", status: "passed", detail: "1.2.3" },
        { name: "smoke: /repos/p", status: "passed", detail: "2 files" },
      ],
    });
    assert.ok(said.includes("running tool version"));
    assert.ok(await engine.inspectImage([...made].at(-1)!), "an image that was there is gone");
  });

  it("fails a tool that prints another version", async () => {
    assert.deepEqual(failures(await smoke(whole(script("echo tool 1.2.30")))), [
      "smoke: tool: `tool version` prints version 1.2.30; 1.2.3 is pinned",
    ]);
  });

  it("fails a tool that is missing or is no program", async () => {
    assert.match(
      failures(await smoke(whole())).join(),
      /^smoke: tool: `tool version` cannot be run in the image \(code 127\)/,
    );
    assert.match(
      failures(await smoke(whole(textFile("/usr/local/bin/tool", "\x7fELF", true)))).join(),
      /cannot be run in the image \(code 126\)|ended with code/,
    );
  });

  it("fails a tool that ends with an error", async () => {
    assert.deepEqual(failures(await smoke(whole(script("echo usage >&2; exit 9")))), [
      "smoke: tool: `tool version` ended with code 9; it printed: usage",
    ]);
  });

  it("ends a tool that hangs, and still looks at the others", async () => {
    const files = whole(
      script("echo tool 1.2.3; sleep 1000"),
      textFile("/usr/local/bin/zz", "#!/bin/bash\necho tool 2\n", true),
    );
    const started = Date.now();
    const result = await smoke(files, {
      limits: { ...limits, timeoutSeconds: 3 },
      tools: { tool: tool(), zz: tool({ version: "2", command: ["zz"] }) },
    });
    assert.deepEqual(failures(result), ["smoke: tool: `tool version` did not end within 3 s; it printed: tool 1.2.3"]);
    assert.deepEqual(
      result.checks.map(({ status }) => status),
      ["passed", "failed", "passed", "passed"],
    );
    assert.ok(Date.now() - started < 20_000);
  });

  it("ends a tool that prints 100 MB, in little memory", async () => {
    const before = process.memoryUsage().rss;
    const flood = 'x=$(printf %100000s); for i in {1..1000}; do echo "$x"; done';
    assert.match(
      failures(await smoke(whole(script(flood)))).join(),
      /^smoke: tool: `tool version` printed more than 65536 bytes, and printed nothing$/,
    );
    assert.ok(process.memoryUsage().rss - before < 50 * 1024 * 1024);
  });

  it("ends a tool that takes too much memory, and the next one starts afresh", async () => {
    const hog = script("x=$(printf %10000000s); for i in {1..20}; do y+=$x; done; echo tool 1.2.3");
    const files = whole(hog, textFile("/usr/local/bin/zz", "#!/bin/bash\necho tool 2; exit 1\n", true));
    const result = await smoke(files, {
      tools: { tool: tool(), zz: tool({ version: "2", command: ["zz"] }) },
    });
    assert.deepEqual(failures(result), [
      "smoke: tool: `tool version` needed more than the 67108864 bytes of memory that the gate gives it",
      "smoke: zz: `zz` ended with code 1; it printed: tool 2",
    ]);
  });

  it("runs a tool, even as root, without a network and without a way to write to its image; only /tmp takes files", async () => {
    const nosy = script(`
      for place in / /usr/local/bin /repos/p/policies /etc /var; do
        [[ -d $place ]] && (echo x >$place/x) 2>/dev/null && { echo "wrote to $place"; exit 1; }
      done
      echo x >/tmp/x || exit 1
      interfaces=()
      { read; read; while IFS=" :" read -r name rest; do interfaces+=("$name"); done; } </proc/net/dev
      [[ "\${interfaces[*]}" == lo ]] || { echo "has the interfaces \${interfaces[*]}"; exit 1; }
      echo tool 1.2.3`);
    const pinned = await image(whole(nosy), { lines: ["USER 0:0", 'CMD ["/bin/bash"]'] });
    const spec = { image: pinned, tools: { tool: tool() }, repositories: { p: policies }, limits };
    assert.deepEqual(failures(await runSmoke(engine, spec)), []);

    // The tool does tell: with a root that it may write to, it ends with an error.
    await engine.pull(pinned);
    const memoryBytes = limits.memoryBytes;
    const open = await engine.createContainer({ image: pinned, memoryBytes, readOnly: false, openStdin: true });
    try {
      const connection = await engine.attach(open);
      await engine.start(open);
      const { code, output } = await engine.exec(open, ["tool", "version"]);
      connection.destroy();
      assert.deepEqual({ code, output }, { code: 1, output: "wrote to /\n" });
    } finally {
      await engine.remove(open);
    }
  });

  it("fails a repository with files missing and files too many, and names them", async () => {
    const files = [
      script("echo tool 1.2.3"),
      textFile(policies[0]!, "a"),
      textFile("/repos/p/tests/t.yaml", "t"),
      textFile("/repos/q/x", "x"),
    ];
    assert.deepEqual(failures(await smoke(files)), [
      "smoke: /repos/p: differs from its source: 1 file missing (/repos/p/policies/b.yaml), 1 file too many (/repos/p/tests/t.yaml)",
      "smoke: /repos: holds 1 file of no repository of this image (/repos/q/x)",
    ]);
  });

  it("fails an image without /repos", async () => {
    assert.match(failures(await smoke([script("echo tool 1.2.3")])).join(), /2 files missing/);
  });

  it("gives one clear error for a base without a shell", async () => {
    const result = await smoke([textFile("/usr/local/bin/tool", "x", true)], {}, true);
    assert.deepEqual(failures(result), [
      "smoke: shell: the image has no /bin/bash: its base is without a shell; use a base with bash",
    ]);
    assert.deepEqual(
      result.checks.slice(1).map(({ status }) => status),
      ["skipped", "skipped"],
    );
  });

  it("says why a shell that is there does not run", async () => {
    const alone = shellFiles().filter(({ path }) => !/libtinfo/.test(path));
    assert.match(
      failures(await smoke(alone, {}, true)).join(),
      /^smoke: shell: \/bin\/bash does not run in the image: .*libtinfo/,
    );
  });

  it("fails an image whose entrypoint hides its tools", async () => {
    const files = whole(script("echo tool 1.2.3"));
    const pinned = await image(files, { lines: ['ENTRYPOINT ["/bin/sleep"]', 'CMD ["1000"]'] });
    assert.match(
      failures(await runSmoke(engine, { image: pinned, tools: {}, repositories: {}, limits })).join(),
      /ENTRYPOINT \["\/bin\/sleep"\]/,
    );
  });

  it("looks at what the registry has under that digest, not at what the engine may have", async () => {
    const pinned = await image(whole(script("echo tool 1.2.3")));
    for (const name of made) await engine.removeImage(name);
    assert.equal(
      (await runSmoke(engine, { image: pinned, tools: { tool: tool() }, repositories: { p: policies }, limits }))
        .passed,
      true,
    );
    const gone = pinned.replace(/@.*/, `@sha256:${"0".repeat(64)}`);
    await assert.rejects(
      runSmoke(engine, { image: gone, tools: {}, repositories: {}, limits }),
      (error: PlatformError) => error.code === "pull-failed",
    );
    await assert.rejects(
      runSmoke(engine, { image: gone.replace(/@.*/, ":1"), tools: {}, repositories: {}, limits }),
      (error: PlatformError) => error.code === "reference-unpinned",
    );
  });

  it("stops at once when it is cancelled, and leaves no container", async () => {
    const controller = new AbortController();
    const pinned = await image(whole(script("sleep 1000")));
    const run = runSmoke(engine, {
      image: pinned,
      tools: { tool: tool() },
      repositories: {},
      limits: { ...limits, timeoutSeconds: 60 },
      signal: controller.signal,
      progress: (text) => text.startsWith("running") && setTimeout(() => controller.abort(new Error("cancelled")), 200),
    });
    const started = Date.now();
    await assert.rejects(run, /cancelled/);
    assert.ok(Date.now() - started < 5000);
  });

  it("removes the container of a killed run once nobody can be using it, and no other", async () => {
    const pinned = await image(whole(script("echo tool 1.2.3")));
    await engine.pull(pinned);
    const create = (seconds: string) =>
      engine.createContainer({ image: pinned, memoryBytes: 64 * 1024 * 1024, labels: { [label]: seconds } });
    const [old, fresh] = [await create("-1"), await create("600")];
    await runSmoke(engine, { image: pinned, tools: {}, repositories: { p: policies }, limits });
    const left = (await engine.list(label)).map(({ id }) => id).filter((id) => [old, fresh].includes(id));
    await engine.remove(fresh);
    assert.deepEqual(left, [fresh]);
    assert.equal(await engine.state(old), undefined);
  });
});
