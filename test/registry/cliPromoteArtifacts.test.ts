// The artifacts that `promote` writes beside the image of a release: those that its version names, whatever the file says already.
import assert from "node:assert/strict";
import { fluxArtifact } from "../../lib/flux/artifact";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import { manifestType } from "../../lib/oci/mediaTypes";
import { parseRepository } from "../../lib/oci/reference";
import {
  commits,
  contentWith,
  promotionIn,
  promotionProject,
  putRelease,
  startPromotionStage,
} from "../support/promotionProject";
import { shared } from "../support/shared";

describe("the artifacts that policy-platform promote writes", () => {
  const stage = shared(startPromotionStage);
  const client = new RegistryClient();

  /** Publishes an artifact that `text` tells from others; its digest. */
  const publish = async (address: string, environment: string, version: string, text: string) => {
    const repository = parseRepository(`${address}/releases/policies/${environment}`);
    const artifact = fluxArtifact(new Map([["kustomization.yaml", Buffer.from(`resources: [${text}]\n`)]]));
    await pushArtifact(client, repository, artifact);
    await client.putManifest(repository, version, artifact.manifest, manifestType);
    return artifact.digest;
  };
  /** Stack dev has released v1.0.0 for dev and production. */
  const released = async () => {
    const at = stage.places();
    const content = { ...contentWith("a"), environments: ["dev", "production"] };
    await putRelease(at.source, "v1.0.0", { content, commits: [commits[0]] });
    const [dev, production] = [
      await publish(at.from, "dev", "v1.0.0", "a"),
      await publish(at.from, "production", "v1.0.0", "b"),
    ];
    return { ...at, artifacts: { dev, production }, project: promotionProject(at.from, at.to) };
  };
  type Project = ReturnType<typeof promotionProject>;
  const promoted = async (project: Project) => {
    const { code, stdout, stderr } = await project.promote();
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const written = (project: Project) => promotionIn(project.text()).artifacts;

  it("are one for each environment, by digest", async () => {
    const { project, artifacts } = await released();
    const screen = await promoted(project);
    assert.deepEqual(written(project), artifacts);
    assert.match(screen, new RegExp(`^policy-platform:promotion\\.artifacts\\.dev: ${artifacts.dev}$`, "m"));
    assert.doesNotMatch(screen, /is promoted without/);
    const text = project.text();
    assert.doesNotMatch(await promoted(project), /promotion\./);
    assert.equal(project.text(), text);
  });

  it("are added where the file names the release already, and lacks all or one of them or names another one", async () => {
    const { project, artifacts } = await released();
    await promoted(project);
    const whole = project.text();
    for (const lacking of [
      whole.replace(/ {4}artifacts:\n( {6}.*\n)*/, ""),
      whole.replace(/ {6}production: .*\n/, ""),
      whole.replace(artifacts.production, artifacts.dev),
    ]) {
      assert.notEqual(lacking, whole);
      project.write("prod", lacking);
      const screen = await promoted(project);
      assert.deepEqual(written(project), artifacts);
      assert.match(screen, /^policy-platform:promotion\.artifacts\.production: /m);
      assert.doesNotMatch(screen, /^policy-platform:promotion\.(version|digest|commit): /m);
    }
  });

  it("go with the release: an environment that the next one lacks is taken away, and one without any has none", async () => {
    const { project, from, source } = await released();
    await promoted(project);
    const next = { ...contentWith("b"), environments: ["dev"] };
    await putRelease(source, "v1.1.0", { content: next, commits: [commits[1]] });
    const dev = await publish(from, "dev", "v1.1.0", "c");
    assert.match(await promoted(project), /^policy-platform:promotion\.artifacts\.production: \S+ → removed$/m);
    assert.deepEqual(written(project), { dev });
    await putRelease(source, "v1.2.0", { content: contentWith("c"), commits: [commits[2]] });
    await promoted(project);
    assert.equal(written(project), undefined);
  });

  it("are left out, which is said, where a version names none for an environment", async () => {
    const at = stage.places();
    const content = { ...contentWith("a"), environments: ["dev", "production"] };
    await putRelease(at.source, "v1.0.0", { content, commits: [commits[0]] });
    const dev = await publish(at.from, "dev", "v1.0.0", "a");
    const project = promotionProject(at.from, at.to);
    assert.match(await promoted(project), /^v1\.0\.0 is promoted without the artifacts of production/m);
    assert.deepEqual(written(project), { dev });
  });
});
