// What is known of artifacts before the gate runs, and what becomes of it where the gate has seen something else: the registry is a
// real one, and somebody who may write to it, or to this machine's memory, weakens a policy there.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { projectCache } from "../../lib/cache";
import { type FluxArtifact, fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import { pushArtifact } from "../../lib/flux/push";
import { recallRendered, rememberRendered } from "../../lib/flux/renderCache";
import { renderOf } from "../../lib/flux/rendered";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { parseRepository } from "../../lib/oci/reference";
import type { Inputs } from "../../lib/pins/model";
import { type ArtifactScene, planArtifacts } from "../../lib/plan/artifacts";
import type { GatedArtifacts } from "../../lib/release/gateRecord";
import { artifact } from "../../provider/artifact";
import type { Values } from "../../provider/host";
import { useOwnCache } from "../support/ownCache";
import { startRegistry, type TestRegistry } from "../support/registry";
import { resourceContext } from "../support/resourceContext";

const policy = (name: string, rule: string) =>
  Buffer.from(
    `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec: {rules: [{name: ${rule}}]}\n`,
  );
const plain = { "a.yaml": policy("a", "one") };
const charts = {
  ...plain,
  "cd/dev/values.yaml": Buffer.from(""),
  "charts/rules/Chart.yaml": Buffer.from("name: rules\n"),
  "charts/rules/templates/b.yaml": policy("b", "{{ .Values.rule }}"),
};
const rendered = (rule: string) => new Map([["team/charts/rules/templates/b.yaml", policy("b", rule)]]);
const [helm, image] = [sha256("helm"), sha256("image")];

describe("an artifact before the gate has run", function () {
  this.timeout(20_000);
  const client = new RegistryClient();
  let registry: TestRegistry;
  let count = 0;
  let home: string;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());
  beforeEach(() => {
    home = `${registry.host}/releases/policies/dev${count++}`;
  });
  useOwnCache();

  /** One repository `team`, its layer image in the registry. */
  const team = async (files: Readonly<Record<string, Buffer>>) => {
    const entries = Object.entries(files).map(([path, bytes]) => ({
      path: `/repos/team/${path}`,
      executable: false,
      size: bytes.length,
      open: () => bytes,
    }));
    const layer = await layerImage(entries);
    const layers = `${registry.host}/layers/repositories/team`;
    await pushLayerImage(client, parseRepository(layers), layer);
    const render = renderOf({ environment: "dev", charts: ["team"], digests: { team: layer.digest }, helm, allow: [] });
    const repositories = { team: new Map(Object.entries(files)) };
    const make = (rule?: string) => {
      const content = artifactFiles({
        repositories,
        rendered: rule === undefined ? undefined : rendered(rule),
        allow: [],
      });
      return fluxArtifact(content.files, rule === undefined ? {} : { render });
    };
    const plan = async (gated: GatedArtifacts = {}) => {
      const tools = { helm: { version: "3.16.2", digest: helm } };
      const inputs = { artifacts: { environments: ["dev"] }, repositories: { team: { digest: layer.digest } }, tools };
      const source = async (path: string) => files[path];
      const shipped = { name: "team", files: Object.fromEntries(Object.keys(files).map((path) => [path, ""])), source };
      const scene = {
        inputs: inputs as unknown as Inputs,
        repositories: [shipped],
        home: () => home,
        gated: async () => gated,
      };
      const { artifacts, lines } = await planArtifacts(client, {
        ...scene,
        projectDir: process.cwd(),
      } as unknown as ArtifactScene);
      return { ...artifacts.dev!, lines };
    };
    /** As the engine does once the gate has seen `seen`. */
    const publish = async (planned: Awaited<ReturnType<typeof plan>>, seen: FluxArtifact) => {
      const { lines: _, ...announced } = planned;
      const context = resourceContext({ urn: "urn:pulumi:dev::p::policychain:index:Artifact::dev" });
      const inputs = {
        repository: home,
        environment: "dev",
        repositories: { team: { digest: layer.digest, layers } },
        image: { repository: `${registry.host}/releases/p`, digest: image },
        gated: seen.digest,
        digest: seen.digest,
        ...announced,
      };
      const { outputs } = await artifact.create(context, inputs as unknown as Values);
      return outputs!.digest;
    };
    return { render, make, plan, publish };
  };
  const push = async (made: FluxArtifact, tag?: string) => {
    await pushArtifact(client, parseRepository(home), made);
    if (tag)
      await client.putManifest(parseRepository(home), tag, made.manifest, "application/vnd.oci.image.manifest.v1+json");
  };
  const refused = {
    code: "artifact-mismatch",
    message: /^the gate has seen artifact sha256:\w{64} of dev, and sha256:\w{64} was announced; .*run it again/,
  };

  it("is not what stands under a version in the registry, whatever that says it was rendered from", async () => {
    const { render, make, plan, publish } = await team(charts);
    await push(make("weak"), "v9.9.9");
    const planned = await plan();
    assert.equal(planned.digest, undefined);
    assert.match(planned.lines.join(), /its digest is unknown here, as helm has not rendered its charts yet/);
    assert.equal(await recallRendered(render), undefined);
    await rememberRendered(render, rendered("strong")); // as the gate does
    assert.equal(await publish(planned, make("strong")), make("strong").digest);
  });

  it("is known on a machine that never saw it by the one that the gate has seen, though another one took its version", async () => {
    const { render, make, plan } = await team(charts);
    await push(make("strong"));
    await push(make("weak"), "v1.0.0");
    const { digest } = make("strong");
    assert.equal((await plan({ dev: { digest, render } })).digest, digest);
    assert.deepEqual(await recallRendered(render), rendered("strong"));
  });

  it("is unknown where that one was rendered from something else, or is gone from the registry", async () => {
    const { render, make, plan } = await team(charts);
    const { digest } = make("strong");
    assert.equal((await plan({ dev: { digest, render } })).digest, undefined);
    await push(make("strong"));
    assert.equal((await plan({ dev: { digest, render: sha256("other") } })).digest, undefined);
  });

  it("is refused where this machine's memory of rendered files was spoilt, which the next run does without", async () => {
    const { render, make, plan, publish } = await team(charts);
    await push(make("weak"));
    await rememberRendered(render, rendered("weak"));
    const planned = await plan();
    assert.equal(planned.digest, make("weak").digest);
    await assert.rejects(publish(planned, make("strong")), refused);
    assert.equal(await recallRendered(render), undefined);
    assert.equal((await plan()).digest, undefined);
    assert.deepEqual(await client.tags(parseRepository(home)), []);
  });

  it("is refused where this machine's memory of digests was spoilt, or is of an earlier program, and the next run is right", async () => {
    const { make, plan, publish } = await team(plain);
    const weak = fluxArtifact(
      artifactFiles({ repositories: { team: new Map([["a.yaml", policy("a", "weak")]]) } }).files,
    );
    await push(weak);
    await plan();
    const file = projectCache(process.cwd(), "artifacts", "dev.json");
    const memory = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...memory, artifact: { digest: weak.digest, revision: weak.revision } }));
    const planned = await plan();
    assert.equal(planned.digest, weak.digest);
    await assert.rejects(publish(planned, make()), refused);
    assert.equal(await publish(await plan(), make()), make().digest);
  });

  it("is refused where helm's files were spoilt after the digest was known, which the next run does without", async () => {
    const { render, make, publish } = await team(charts);
    await rememberRendered(render, rendered("weak"));
    const { digest, revision } = make("spoilt");
    await assert.rejects(publish({ digest, revision, render, lines: [] }, make("spoilt")), {
      code: "artifact-mismatch",
      message: /^the policies of dev make the artifact sha256:\w{64}, and the gate has seen sha256:\w{64}; /,
    });
    assert.equal(await client.resolve(parseRepository(home), digest), undefined);
    assert.equal(await recallRendered(render), undefined);
  });
});
