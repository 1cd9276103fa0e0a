// The version rule against a second opinion (oracle.ts), over random stacks, histories and wanted versions.
import assert from "node:assert/strict";
import fc from "fast-check";
import semver from "semver";
import { type LayerImage, layerImage } from "../../../lib/oci/layer";
import { decideVersion, requiredBump } from "../../../lib/pins/bump";
import { diffInputs } from "../../../lib/pins/diff";
import { inputDigest } from "../../../lib/pins/model";
import { structureChange } from "../../../lib/pins/structure";
import { preflight } from "../../../lib/release/preflight";
import { times } from "../../support/counts";
import { MemoryRegistry } from "../release/memoryRegistry";
import { decide, namesIn, sameImage, stepBetween } from "./oracle";
import {
  anyPair,
  anyRepository,
  anyWorld,
  contentDigest,
  filesOf,
  inputsOf,
  type ModelRepository,
  type World,
} from "./worlds";

const releases = { registry: "127.0.0.1:5000", path: "releases/policy-platform" };

describe("the version rule, against a second opinion", () => {
  it("sees the same names vanish and come in thousands of pairs of policy repositories", () => {
    let vanished = 0;
    fc.assert(
      fc.property(anyRepository, anyRepository, (old, next) => {
        const { removed, added } = structureChange(filesOf(old), filesOf(next));
        const [was, is] = [namesIn(old), namesIn(next)];
        assert.equal(removed.length, [...was].filter((name) => !is.has(name)).length, removed.join());
        assert.equal(added.length, [...is].filter((name) => !was.has(name)).length, added.join());
        vanished += removed.length > 0 ? 1 : 0;
      }),
      { numRuns: times(3000) },
    );
    assert.ok(vanished > times(3000) / 2);
  }).timeout(60_000);

  it("asks for the same step in thousands of pairs of stacks", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(anyPair, ([old, next]) => {
        const [from, to] = [inputsOf(old), inputsOf(next)];
        assert.equal(inputDigest(from) === inputDigest(to), sameImage(old, next));
        const shared = Object.keys(from.repositories).filter((name) => Object.hasOwn(to.repositories, name));
        const structures = Object.fromEntries(
          shared.map((name) => [
            name,
            structureChange(filesOf(old.repositories[name]!), filesOf(next.repositories[name]!)),
          ]),
        );
        const changes = diffInputs(from, to, structures);
        const expected = stepBetween(old, next);
        assert.equal(requiredBump(changes), expected ?? "none");
        const last = { version: "v1.2.3" };
        const { version } = decideVersion({
          wanted: "auto",
          stack: "dev",
          last,
          ...(changes.length > 0 && { changes }),
        });
        assert.equal(version, expected ? `v${semver.inc("1.2.3", expected)}` : "v1.2.3");
        seen.set(expected ?? "none", (seen.get(expected ?? "none") ?? 0) + 1);
      }),
      { numRuns: times(3000) },
    );
    for (const step of ["major", "minor", "patch", "none"])
      assert.ok((seen.get(step) ?? 0) >= 10, `${step}: ${seen.get(step)}`);
  }).timeout(60_000);

  it("gives the same version, image or refusal for hundreds of histories and wanted versions", async () => {
    const key = (repository: ModelRepository, name: string) => `${name} ${contentDigest(repository)}`;
    const layersOf = async (worlds: readonly World[]) => {
      const layers = new Map<string, LayerImage>();
      for (const [name, repository] of worlds.flatMap(({ repositories }) => Object.entries(repositories))) {
        const entries = [...filesOf(repository)].map(([path, bytes]) => ({
          path: `/repos/${name}/${path}`,
          executable: false,
          size: bytes.length,
          open: () => bytes,
        }));
        layers.set(key(repository, name), await layerImage(entries));
      }
      return layers;
    };
    const number = fc.nat(2);
    const version = fc.tuple(number, number, number).map((numbers) => numbers.join("."));
    const world = fc.option(fc.nat(2), { freq: 9, nil: undefined });
    const pasts = fc.uniqueArray(fc.record({ version, world }), { maxLength: 22, selector: (one) => one.version });
    const worlds = fc.tuple(anyPair, anyWorld).map(([[a, b], c]) => [a, b, c] as const);
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        pasts,
        worlds,
        fc.nat(2),
        fc.option(version, { nil: "auto" }),
        async (numbered, pool, at, wanted) => {
          const layers = await layersOf(pool);
          const inputs = (one: World) => inputsOf(one, (repository, name) => layers.get(key(repository, name))!.digest);
          const registry = new MemoryRegistry();
          for (const layer of layers.values()) await registry.pushLayer(layer);
          for (const [index, one] of numbered.entries()) {
            if (one.world === undefined) registry.tags.set(`v${one.version}`, registry.push({}, `foreign ${index}`));
            else registry.release(`v${one.version}`, inputs(pool[one.world]!), `${one.world}`);
          }
          const past = numbered.map((one) => ({
            version: one.version,
            world: one.world === undefined ? undefined : pool[one.world]!,
          }));
          const now = pool[at]!;
          const expected = decide(past, now, wanted);
          const options = { releases, layers: () => [releases], folders: {}, inputs: inputs(now), stack: "dev" };
          const found = await preflight(registry.client(), {
            ...options,
            wanted: wanted === "auto" ? wanted : `v${wanted}`,
          }).catch((error: { code: string }) => error);
          const answer =
            "code" in found
              ? { refused: found.code }
              : found.taken
                ? { refused: found.taken.code }
                : { version: found.version.slice(1) };
          assert.deepEqual(answer, expected, `${wanted} after ${past.map((one) => one.version).join()}`);
          if (!("code" in found) && !found.taken && found.image) {
            const holders = past
              .filter((one) => one.world && sameImage(one.world, now))
              .map((one) => registry.tags.get(`v${one.version}`));
            assert.ok(holders.includes(found.image.digest));
          }
          const outcome = "refused" in expected ? expected.refused : "version";
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        },
      ),
      { numRuns: times(600) },
    );
    assert.deepEqual([...seen.keys()].sort(), [
      "release-foreign",
      "version",
      "version-reused",
      "version-taken",
      "version-too-low",
    ]);
  }).timeout(120_000);
});
