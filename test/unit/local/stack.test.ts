import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layoutOf } from "../../../local/layout";
import { readMemory, remember } from "../../../local/memory";
import { bringUp, lines, rebuildUrn, stackOutputs } from "../../../local/stack";
import type { Step } from "../../../local/steps";
import { renderSummary } from "../../../local/summary";
import { refused } from "../../support/refused";

describe("a run that failed because the candidate is gone", () => {
  it("is told from any other by the command that its error names", () => {
    const urn =
      "urn:pulumi:local::policy-platform::policychain:index:PlatformImage$docker:index/image:Image::image-build";
    const output = `    error: candidate gone: 127.0.0.1:5000/candidates/x@sha256:…; it is needed; pulumi up --replace '${urn}'\n`;
    assert.equal(rebuildUrn(output), urn);
    assert.equal(rebuildUrn("error: smoke: yq: 4.1, not 4.2"), undefined);
  });
});

describe("stand-in: an engine whose candidate is gone", () => {
  it("is asked once more, with the build that its error names, and no third time", async () => {
    const folder = mkdtempSync(join(tmpdir(), "gone-"));
    const pulumi = join(folder, "pulumi");
    const urn = "urn:pulumi:local::policy-platform::docker:index/image:Image::image-build";
    const error = `error: the candidate is gone; it is needed; pulumi up --replace '${urn}' --stack local`;
    // Each call leaves its arguments; the first `failing` of them fail like this.
    const engine = (failing: number) =>
      writeFileSync(
        pulumi,
        `#!/bin/sh\necho "$@" >> ${folder}/calls\n[ "$(wc -l < ${folder}/calls)" -gt ${failing} ] || { cat ${folder}/error >&2; exit 255; }\necho '    ~ 1 updated'\n`,
        { mode: 0o755 },
      );
    writeFileSync(join(folder, "error"), `${error}\n`);
    const outcomes: string[] = [];
    const step = { outcome: (text: string) => outcomes.push(text), progress: () => undefined } as unknown as Step;
    const written: string[] = [];
    const screen = { write: (text: string) => void written.push(text) };
    const options = { layout: layoutOf(folder), pulumi, environment: {}, screen };
    const calls = () => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
    try {
      engine(1);
      await bringUp(options, { withClusters: true }, step);
      assert.deepEqual(outcomes, ["changed"]);
      const [first, second] = calls();
      assert.equal(second, first!.replace("--stack local", `--stack local --replace ${urn}`));
      assert.ok(written.includes("  … the candidate image is gone from the registry: it is built again"));
      rmSync(join(folder, "calls"));
      engine(2);
      await refused("up-failed", () => bringUp(options, { withClusters: true }, step));
      assert.equal(calls().length, 2);
      rmSync(join(folder, "calls"));
      engine(0);
      await bringUp(options, { withClusters: false }, step);
      assert.match(
        calls()[0]!,
        /--exclude \S+FluxDelivery\$kubernetes:\*\* --exclude \S+FluxDelivery\$policychain:\*\* --non/,
      );
      await bringUp(options, { withClusters: true, refresh: true }, step);
      assert.match(calls()[1]!, /^up .*--stack local --refresh --non/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the outputs of the stack", () => {
  it("are an error when the engine does not give them, and never taken for none", async () => {
    const folder = mkdtempSync(join(tmpdir(), "outputs-"));
    const pulumi = join(folder, "pulumi");
    writeFileSync(pulumi, "#!/bin/sh\necho 'error: passphrase must be set' >&2; exit 255\n", { mode: 0o755 });
    const screen = { write: () => undefined };
    try {
      const error = await refused("stack-output", () =>
        stackOutputs({ layout: layoutOf(folder), pulumi, environment: {}, screen }),
      );
      assert.match(error.message, /pulumi stack output failed: passphrase must be set/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the lines of the engine", () => {
  it("are passed on whole, the last one too when it has no line feed", () => {
    const seen: string[] = [];
    const { feed, end } = lines((line) => seen.push(line));
    for (const text of ["a", "b\nc\n\nd", "e"]) feed(text);
    assert.deepEqual(seen, ["ab", "c", ""]);
    end();
    assert.deepEqual(seen, ["ab", "c", "", "de"]);
    end();
  });
});

describe("the memory of earlier runs", () => {
  it("is empty when it is absent or damaged, keeps what is not changed, and forgets", () => {
    const folder = mkdtempSync(join(tmpdir(), "memory-"));
    const file = join(folder, "deep", "memory.json");
    try {
      assert.deepEqual(readMemory(file), { clusters: {}, layers: {}, pins: {} });
      remember(file, { registryPort: 5001, registry: { pid: 1, started: "2", boot: "3", program: "x" } });
      remember(file, { pins: { "base.image": "y" } });
      remember(file, { registry: undefined });
      assert.deepEqual(readMemory(file), { clusters: {}, layers: {}, pins: { "base.image": "y" }, registryPort: 5001 });
      writeFileSync(file, '{"pins": ');
      assert.deepEqual(readMemory(file), { clusters: {}, layers: {}, pins: {} });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the summary", () => {
  const outputs = {
    image: {
      repository: "127.0.0.1:5000/releases/x",
      digest: "sha256:aa",
      reference: "127.0.0.1:5000/releases/x@sha256:aa",
      tags: ["v1.0.0", "latest"],
    },
    changes: { bump: "patch", reason: "v1.0.0 → v1.0.1 (policy update)" },
    gate: { passed: true, checks: [{ name: "smoke: yq", status: "passed", detail: "4.54.1" }] },
  };

  const times = (milliseconds: number) => [{ name: "Registry", outcome: "", milliseconds }];

  it("names docker only where there is such a command", () => {
    const text = renderSummary(outputs, { moved: [], times: [], total: 1, docker: false });
    assert.ok(!text.includes("docker run"));
    assert.match(text, /source \.local\/env\n(.*\n){2} {2}policy-platform version /);
  });

  it("shows digest, tags, gate, times and what to type next", () => {
    const text = renderSummary(outputs, { moved: [], times: times(1_200), total: 2_000, docker: true });
    for (const part of [
      "sha256:aa",
      "v1.0.0  latest",
      "version v1.0.0 → v1.0.1 (policy update): a patch version",
      "✔ smoke: yq: 4.54.1",
      "Registry  1.2 s",
      "source .local/env",
      "docker run --rm ",
    ]) {
      assert.ok(text.includes(part), part);
    }
  });

  it("does not list what took no time, and claims no release where there is none", () => {
    const text = renderSummary({}, { moved: [], times: times(3), total: 3, docker: true });
    assert.ok(!text.includes("Registry") && text.includes("nothing is released yet") && !text.includes("docker run"));
  });
});
