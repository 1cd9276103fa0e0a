// The gate on an image in a registry, for the program and the command alike: run, unless an equal run passed before.

import type { DockerEngine } from "../docker/engine";
import { PlatformError } from "../errors";
import { layerFiles } from "../flux/layerFiles";
import { leftOutOfCommit } from "../git/leftOut";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { imageLabels } from "../oci/imageConfig";
import { readLayerPaths } from "../oci/layer";
import { formatReference, parseRepository, type Repository } from "../oci/reference";
import { type Inputs, inputDigest, inputDigestLabel, inputsLabel, parseInputs } from "../pins/model";
import { leftOutFiles } from "../policies/tests";
import { mapRecordAsync } from "../record";
import type { TestSource } from "../sources/testSource";
import { gateParity } from "./imageParity";
import { type GateInputs, gateKey } from "./inputs";
import {
  expectedNames,
  type KeptResult,
  keepResult,
  keptFolder,
  recallResult,
  rememberedFile,
  rememberResult,
} from "./kept";
import { type KnownSizes, layerSizes } from "./layerSizes";
import type { CarriedRules } from "./policyMemory";
import { evaluateSize } from "./size";

/** How it is done, none of which changes a verdict. */
export interface GateSurroundings {
  readonly client: RegistryClient;
  /** The repository that has the image; asked for only when something must run. */
  readonly home: () => Promise<Repository>;
  readonly projectDir: string;
  /** Named in the commands that fix an error. */
  readonly stack: string;
  readonly signal?: AbortSignal;
  readonly progress?: (text: string) => void;
  /** The image is what this stack's own inputs lead to, not one that somebody named: what its kyverno says is remembered. */
  readonly own: boolean;
  /** Look again although an equal run passed. */
  readonly again?: boolean;
  /** What an earlier run of this stack found out that does not change. */
  readonly memory?: GateMemory;
}

/** Facts by digest, which hold for every image that has the same layers, policies and kyverno. Small enough for a state. */
export interface GateMemory {
  readonly rules?: CarriedRules;
  /** Bytes of unpacked layers. */
  readonly layers: KnownSizes;
}

/** What was found, now or before. */
export interface GatedImage extends KeptResult {
  /** Nothing was run: an equal run had passed. */
  readonly known: boolean;
  /** For the next run; absent where nothing was run. */
  readonly memory?: GateMemory;
  /** Folder with the whole output of every check. */
  readonly folder: string;
}

/** Errors: `input-digest-mismatch`, `tests-changed`, and those of the engine and the registry. */
export async function gateImage(inputs: GateInputs, surroundings: GateSurroundings): Promise<GatedImage> {
  const { client, projectDir, signal, progress } = surroundings;
  const folder = keptFolder(projectDir, inputs.digest);
  const key = gateKey(inputs);
  const remembered = rememberedFile(projectDir, key);
  const kept = surroundings.again ? undefined : await recallResult(remembered, key, expectedNames(inputs));
  if (kept) return { ...kept, known: true, folder };
  const home = await surroundings.home();
  const labels = await imageLabels(client, home, inputs.digest);
  requireInputs(labels[inputDigestLabel], inputs, surroundings.stack);
  const repositories = await mapRecordAsync(inputs.repositories, async ({ digest, layers, tests }) => {
    const paths = await readLayerPaths(client, parseRepository(layers), digest);
    const inside = paths.map((path) => `/${path}`).sort();
    return { paths: inside, ...(tests && { leftOut: await readTests(tests, paths, signal) }) };
  });
  const composed = { tools: Object.keys(inputs.tools), repositories: Object.keys(inputs.repositories) };
  const memory = surroundings.again ? undefined : surroundings.memory;
  const layers = await layerSizes(client, home, inputs.digest, composed, { known: memory?.layers, signal });
  // Loaded here: no preview, no refresh and no result that is known needs an engine.
  const [{ DockerEngine: Engine }, { runGate }] = await Promise.all([import("../docker/engine"), import("./run")]);
  const engine: DockerEngine = Engine.fromEnvironment();
  const pins = pinsIn(labels[inputsLabel], inputs.inputDigest);
  const run = await runGate(
    engine,
    { ...inputs, image: formatReference({ ...home, digest: inputs.digest }), repositories },
    {
      kyverno: surroundings.own && !surroundings.again ? pins?.tools.kyverno?.digest : undefined,
      carried: memory?.rules,
      size: evaluateSize(layers, inputs.size),
      signal,
      progress,
    },
  );
  signal?.throwIfAborted();
  const read = () =>
    mapRecordAsync(inputs.repositories, ({ digest, layers }, name) =>
      layerFiles(client, parseRepository(layers), { name, digest }),
    );
  const parity = await gateParity(inputs, { run, read, helm: pins?.tools.helm?.digest });
  const result: KeptResult = {
    passed: run.passed && parity.checks.every(({ status }) => status !== "failed"),
    checks: [...run.checks, ...parity.checks],
    artifacts: parity.artifacts,
  };
  await keepResult(folder, result);
  await rememberResult(remembered, key, result);
  const found = layers.flatMap(({ digest, unpacked }) => (unpacked === undefined ? [] : [[digest, unpacked]]));
  return { ...result, known: false, folder, memory: { rules: run.carried, layers: Object.fromEntries(found) } };
}

function requireInputs(label: string | undefined, { digest, inputDigest }: GateInputs, stack: string): void {
  if (label === inputDigest) return;
  throw new PlatformError("input-digest-mismatch", {
    what: `the image ${digest} was built from inputs ${label ?? "that it does not name"}, and the gate was asked about ${inputDigest}`,
    rule: "the gate looks at the image that was built from the inputs of this release",
    fix: `run pulumi up --stack ${stack} without --target and --exclude`,
  });
}

/** The files that do not ship, as they were when the inputs were written. `shipped`: `repos/<name>/…`. */
async function readTests(tests: TestSource, shipped: readonly string[], signal?: AbortSignal) {
  const inside = Object.fromEntries(shipped.map((path) => [path.split("/").slice(2).join("/"), true]));
  if (tests.git) return leftOutOfCommit(tests.git, inside, { signal });
  const { digest, files } = leftOutFiles(tests.folder!, inside);
  if (digest === tests.digest) return files;
  throw new PlatformError("tests-changed", {
    what: `the tests in ${tests.folder} are others by now than when this run began`,
    rule: "the gate runs the tests that the release was planned with",
    fix: "run it again",
  });
}

/**
 * The pins of an image, as its label names them where that label is what the inputs' digest was made of. Any other image can
 * claim to have any kyverno, and the memory of its answers goes by kyverno's digest.
 */
export function pinsIn(label: string | undefined, inputs: Digest): Inputs | undefined {
  try {
    const named = parseInputs(label ?? "");
    return inputDigest(named) === inputs ? named : undefined;
  } catch {
    return undefined;
  }
}
