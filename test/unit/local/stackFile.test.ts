// What a run may change in Pulumi.local.yaml, with its memory, without it, and beside what the user wrote.
import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { toolNames } from "../../../local/layers/push";
import { type Layout, layoutOf } from "../../../local/layout";
import { readMemory } from "../../../local/memory";
import { readPin } from "../../../local/pins";
import { dropSalt, keepsSecrets, ownPins, portInStackFile, writeStackFile } from "../../../local/stackFile";
import { cleanUp } from "../../../local/stopAll";
import { refused } from "../../support/refused";
import { digestOf, emptyManifest, manifestAnswer, notFound } from "../../support/scriptedRegistry";
import { type ScriptedServer, startScriptedServer } from "../../support/scriptedServer";

const present = digestOf(JSON.stringify(emptyManifest));
const gone = digestOf("gone");

describe("Pulumi.local.yaml", () => {
  let dir: string;
  let layout: Layout;
  let registry: ScriptedServer;
  let said: string;
  /** A port of this machine on which nothing listens any more. */
  let dead: string;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "stack-file-"));
    layout = layoutOf(dir);
    const stopped = await startScriptedServer(() => notFound);
    dead = stopped.host;
    await stopped.stop();
    mkdirSync(join(dir, "local"));
    cpSync(join(__dirname, "../../../local/Pulumi.local.template.yaml"), layout.stackTemplate);
    registry = await startScriptedServer(({ path }) =>
      path.endsWith(present) ? manifestAnswer(emptyManifest) : notFound,
    );
  });
  afterEach(async () => {
    await registry.stop();
    rmSync(dir, { recursive: true });
  });

  const step = {
    progress: () => undefined,
    outcome: (text: string) => {
      said = text;
    },
    signal: new AbortController().signal,
  };
  const pin = (what: string, digest: string = present, host = registry.host) => `${host}/layers/${what}@${digest}`;
  const read = (path: string) => readPin(readFileSync(layout.stackFile, "utf8"), path);
  const change = (from: string, to: string) =>
    writeFileSync(layout.stackFile, readFileSync(layout.stackFile, "utf8").replaceAll(from, to));
  const forget = () => rmSync(layout.memoryFile);
  const write = (wanted: Record<string, string> = {}, address = registry.host) =>
    writeStackFile(
      layout,
      address,
      {
        "registry.address": address,
        "base.image": pin("base", present, address),
        "tools.yq.image": pin("tools/yq", present, address),
        "tools.yq.version": "4.54.1",
        ...wanted,
      },
      step,
    );

  it("is made from its template, and everything in it is ours until somebody changes it", async () => {
    const all = ["base.image", ...toolNames.map((name) => `tools.${name}.image`)];
    assert.deepEqual([...(await ownPins(layout))], all);
    await write();
    assert.match(said, /made from its template/);
    assert.equal(read("base.image"), pin("base"));
    assert.deepEqual([...(await ownPins(layout))], all);
    assert.equal(await portInStackFile(layout), Number(registry.host.split(":")[1]));
    const before = readFileSync(layout.stackFile, "utf8");
    await write();
    assert.deepEqual([said, readFileSync(layout.stackFile, "utf8")], ["unchanged", before]);
  });

  it("of a time when fewer tools were built here keeps just these, and takes another one whose image is left empty", async () => {
    await write();
    const { config } = parse(readFileSync(layout.stackFile, "utf8"));
    const { kyverno, yq } = config["policy-platform:tools"];
    const keep = (tools: unknown) =>
      writeFileSync(layout.stackFile, stringify({ config: { ...config, "policy-platform:tools": tools } }));
    keep({ kyverno, yq });
    assert.deepEqual([...(await ownPins(layout))], ["base.image", "tools.kyverno.image", "tools.yq.image"]);
    const before = readFileSync(layout.stackFile, "utf8");
    await write({ "tools.helm.image": pin("tools/helm"), "tools.helm.version": "3.19.0" });
    assert.equal(readFileSync(layout.stackFile, "utf8"), before);
    keep({ kyverno, yq, helm: { version: "", image: "" } });
    assert.ok((await ownPins(layout)).has("tools.helm.image"));
    await write({ "tools.helm.image": pin("tools/helm"), "tools.helm.version": "3.19.0" });
    assert.deepEqual([read("tools.helm.image"), read("tools.helm.version")], [pin("tools/helm"), "3.19.0"]);
  });

  it("follows what was built anew and the port that was chosen", async () => {
    await write({ "base.image": pin("base", gone) });
    await write({}, dead);
    assert.deepEqual(["registry.address", "base.image"].map(read), [dead, pin("base", present, dead)]);
    assert.match(said, /^registry\.address, base\.image, tools\.yq\.image set to what was built here$/);
  });

  it("keeps the user's values, also where what they name is gone", async () => {
    await write();
    const mine = { [pin("base")]: pin("base", gone), [`address: "${registry.host}"`]: `address: "${dead}"` };
    for (const [from, to] of Object.entries(mine)) change(from, to);
    change('version: "4.54.1"', 'version: "4.0.0"');
    assert.equal((await ownPins(layout)).has("base.image"), false);
    const before = readFileSync(layout.stackFile, "utf8");
    await write({ "tools.yq.version": "4.54.2" });
    assert.equal(readFileSync(layout.stackFile, "utf8"), before);
    assert.ok(said.includes(`registry.address is yours and stays ${dead}, not ${registry.host}`), said);
  });

  it("keeps the user's values when the memory is lost, and finds ours again", async () => {
    await write();
    change(pin("base"), "registry.example/base@" + present);
    change(registry.host + '"', dead + '"');
    forget();
    assert.deepEqual(
      [...(await ownPins(layout))],
      toolNames.map((name) => `tools.${name}.image`),
    );
    const before = readFileSync(layout.stackFile, "utf8");
    await write();
    assert.equal(readFileSync(layout.stackFile, "utf8"), before);
    assert.deepEqual(Object.keys(readMemory(layout.memoryFile).pins).sort(), ["tools.yq.image", "tools.yq.version"]);
  });

  it("renews what only we push there and is gone, with its version, when the memory is lost", async () => {
    await write({ "tools.yq.image": pin("tools/yq", gone), "tools.yq.version": "4.53.0" });
    forget();
    await write();
    assert.deepEqual(["tools.yq.image", "tools.yq.version"].map(read), [pin("tools/yq"), "4.54.1"]);
  });

  it("moves to another port when the memory is lost and nobody answers at that of its pins", async () => {
    await write({}, dead);
    forget();
    await write();
    assert.deepEqual(["registry.address", "base.image"].map(read), [registry.host, pin("base")]);
  });

  it("keeps what its user writes while the registry is asked", async () => {
    await write({ "tools.yq.image": pin("tools/yq", gone) });
    forget();
    registry.answer(() => {
      if (!readFileSync(layout.stackFile, "utf8").includes("# mine")) appendFileSync(layout.stackFile, "# mine\n");
      return notFound;
    });
    await write();
    assert.match(readFileSync(layout.stackFile, "utf8"), /\n# mine\n$/);
    assert.equal(read("tools.yq.image"), pin("tools/yq"));
  });

  it("is refused when it is no YAML, before anything is asked of a registry", async () => {
    writeFileSync(layout.stackFile, "config: [");
    await refused("stack-file-malformed", () => ownPins(layout));
    assert.deepEqual(registry.requests, []);
  });

  it("loses its salt with the passphrase, and keeps both while a secret of any form needs them", async () => {
    await write();
    appendFileSync(layout.stackFile, "encryptionsalt: v1:abc=:v1:def\n");
    change("  policy-platform:gate:", "  other:token: {secure: v1:ghi}\n  policy-platform:gate:");
    assert.equal(await keepsSecrets(layout), true);
    await refused("secrets-kept", () => cleanUp(layout, { cache: false }));
    assert.equal(existsSync(layout.memoryFile), true);
    change("  other:token: {secure: v1:ghi}\n", "");
    const before = readFileSync(layout.stackFile, "utf8");
    await dropSalt(layout);
    assert.equal(readFileSync(layout.stackFile, "utf8"), before.replace(/encryptionsalt.*\n/, ""));
    assert.equal(await keepsSecrets(layout), false);
  });
});
