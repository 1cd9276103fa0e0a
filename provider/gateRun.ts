// policychain:index:GateRun: the release gate on one image digest. It passes or it throws: partial work in the state would
// be cleared by the next refresh, and the run after it would be green.

import { PlatformError } from "../lib/errors";
import type { RegistryClient } from "../lib/oci/client";
import { missingFrom } from "../lib/oci/copy";
import { type Digest, shortDigest } from "../lib/oci/digest";
import { imageLabels } from "../lib/oci/imageConfig";
import { readLayerPaths } from "../lib/oci/layer";
import { parseRepository, type Repository } from "../lib/oci/reference";
import { inputDigestLabel } from "../lib/pins/model";
import { diffInputs, type ResourceContext, type ResourceHandler, UNKNOWN, unwrapSecrets, type Values } from "./host";
import { parseFailures, requireDigest, schemaFailures } from "./inputs";
import { candidateGone, idOf, pinned, registryClient } from "./registry";

const token = "policychain:index:GateRun";

interface GateInputs {
  readonly candidate: string;
  readonly release: string;
  readonly digest: Digest;
  readonly inputDigest: string;
  readonly tools: Readonly<Record<string, { version: string; command: string[]; expect: string }>>;
  readonly repositories: Readonly<Record<string, { digest: Digest; layers: string }>>;
  readonly limits: { timeoutSeconds: number; memoryBytes: number; outputBytes: number };
  readonly rebuild?: string;
  readonly built?: string;
  readonly insecure?: boolean;
}

export const gateRun: ResourceHandler = {
  async check(_context, _olds, news) {
    const failures = schemaFailures(token, news);
    const parsers = {
      candidate: parseRepository,
      release: parseRepository,
      digest: requireDigest,
      inputDigest: requireDigest,
    };
    return { inputs: news, failures: failures.length > 0 ? failures : parseFailures(news, parsers) };
  },
  diff: async (_context, _id, oldInputs, _oldOutputs, news) =>
    diffInputs(oldInputs, news, { ignore: ["rebuild", "built", "insecure"] }),
  create: async (context, inputs) => ({
    id: idOf(inputs.release, "gate"),
    outputs: await run(context, inputs),
  }),
  update: (context, _id, _oldInputs, _oldOutputs, news) => run(context, news),
};

async function run(context: ResourceContext, inputs: Values): Promise<Values> {
  if (context.preview) return { ...inputs, passed: UNKNOWN, checks: UNKNOWN };
  const gate = unwrapSecrets(inputs) as unknown as GateInputs;
  const candidate = parseRepository(gate.candidate);
  const release = parseRepository(gate.release);
  const client = registryClient(context, gate.insecure, [candidate, release]);
  if (gate.built && gate.built !== gate.digest) {
    context.warn(
      `a build of the released inputs gave ${gate.built} instead of ${gate.digest}: the released image stays, the build is not used`,
    );
  }

  // Loaded here: no preview and no refresh needs an engine.
  const { DockerEngine } = await import("../lib/docker/engine");
  const { runSmoke } = await import("../lib/gate/run");
  const home = await findImage(context, client, gate, candidate, release);
  await requireInputs(client, home, gate);
  const { passed, checks } = await runSmoke(DockerEngine.fromEnvironment(), {
    image: pinned(`${home.registry}/${home.path}`, gate.digest),
    tools: gate.tools,
    repositories: await expectedFiles(client, gate),
    limits: gate.limits,
    signal: context.signal,
    progress: context.progress,
  });
  context.signal.throwIfAborted();
  if (!passed) {
    const failed = checks.filter((check) => check.status === "failed");
    throw new PlatformError("gate-failed", {
      what: `the gate refuses ${gate.candidate}@${gate.digest}: ${failed.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}`,
      rule: "only an image that has passed every check is tagged, so nothing was released",
      fix: "mend the pin or the policy that the check names, then run pulumi up again",
    });
  }
  return { ...inputs, passed, checks: checks.map(({ name, status, detail }) => ({ name, status, detail })) };
}

/** The repository that has the image whole: the release's, else the candidate's. */
async function findImage(
  context: ResourceContext,
  client: RegistryClient,
  gate: GateInputs,
  candidate: Repository,
  release: Repository,
): Promise<Repository> {
  if ((await missingFrom(client, release, gate.digest)).length === 0) return release;
  if ((await missingFrom(client, candidate, gate.digest)).length > 0) {
    throw candidateGone(gate.candidate, gate.digest, gate.rebuild);
  }
  const name = shortDigest(gate.inputDigest);
  const named = await client.resolve(candidate, name);
  if (named && named.digest !== gate.digest) {
    context.warn(
      `${gate.candidate}:${name} names ${named.digest} by now; the gate looks at ${gate.digest}, which this run is about`,
    );
  }
  return candidate;
}

async function requireInputs(client: RegistryClient, home: Repository, gate: GateInputs): Promise<void> {
  const label = (await imageLabels(client, home, gate.digest))[inputDigestLabel];
  if (label === gate.inputDigest) return;
  throw new PlatformError("input-digest-mismatch", {
    what: `the image ${gate.digest} was built from inputs ${label ?? "that it does not name"}, and the gate was asked about ${gate.inputDigest}`,
    rule: "the gate looks at the image that was built from the inputs of this release",
    fix: "run pulumi up without --target and --exclude",
  });
}

/** Per repository the absolute paths that its layer image holds. */
async function expectedFiles(client: RegistryClient, gate: GateInputs): Promise<Record<string, string[]>> {
  const names = Object.entries(gate.repositories).map(async ([name, { digest, layers }]) => {
    const paths = await readLayerPaths(client, parseRepository(layers), digest);
    return [name, paths.map((path) => `/${path}`).sort()] as const;
  });
  return Object.fromEntries(await Promise.all(names));
}
