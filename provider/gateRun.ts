// policychain:index:GateRun: the release gate on one image digest. It passes or it throws: partial work in the state would
// be cleared by the next refresh, and the run after it would be green.

import { gateFailed } from "../lib/gate/failure";
import { type GateMemory, gateImage } from "../lib/gate/image";
import type { GateInputs } from "../lib/gate/inputs";
import type { RegistryClient } from "../lib/oci/client";
import { missingFrom } from "../lib/oci/copy";
import { shortDigest } from "../lib/oci/digest";
import { parseRepository, type Repository } from "../lib/oci/reference";
import { stackOf } from "../lib/urn";
import {
  type Change,
  diffInputs,
  type Failure,
  isValues,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "./host";
import { parseFailures, requireDigest, schemaFailures } from "./inputs";
import { candidateGone, idOf, registryClient } from "./registry";

const token = "policychain:index:GateRun";

type RunInputs = GateInputs & {
  readonly candidate: string;
  readonly release: string;
  readonly rebuild?: string;
  readonly built?: string;
  readonly insecure?: boolean;
};

export const gateRun: ResourceHandler = {
  async check(_context, _olds, news) {
    const failures = schemaFailures(token, news);
    const parsers = {
      candidate: parseRepository,
      release: parseRepository,
      digest: requireDigest,
      inputDigest: requireDigest,
    };
    const found = failures.length > 0 ? failures : [...parseFailures(news, parsers), ...testFailures(news)];
    return { inputs: news, failures: found };
  },
  diff: async (_context, _id, oldInputs, oldOutputs, news) => {
    const { changes } = diffInputs(oldInputs, news, {
      ignore: ["announced", "rebuild", "built", "insecure", ...testFolders(oldInputs), ...testFolders(news)],
    });
    return { changes: { ...changes, ...unseen(oldOutputs, news) } };
  },
  create: async (context, inputs) => ({
    id: idOf(inputs.release, "gate"),
    outputs: await run(context, inputs),
  }),
  update: (context, _id, _oldInputs, oldOutputs, news) => run(context, news, oldOutputs),
};

async function run(context: ResourceContext, inputs: Values, before: Values = {}): Promise<Values> {
  if (context.preview) return { ...inputs, passed: UNKNOWN, checks: UNKNOWN, artifacts: UNKNOWN, memory: UNKNOWN };
  const gate = unwrapSecrets(inputs) as unknown as RunInputs;
  const candidate = parseRepository(gate.candidate);
  const release = parseRepository(gate.release);
  const client = registryClient(context, gate.insecure, [candidate, release]);
  if (gate.built && gate.built !== gate.digest) {
    context.warn(
      `a build of the released inputs gave ${gate.built} instead of ${gate.digest}: the released image stays, the build is not used`,
    );
  }

  const remembered = unwrapSecrets(before).memory as GateMemory | undefined;
  const { passed, checks, artifacts, known, folder, memory } = await gateImage(gate, {
    client,
    home: () => findImage(context, client, gate, candidate, release),
    projectDir: process.cwd(),
    stack: stackOf(context.urn),
    own: true,
    memory: remembered,
    signal: context.signal,
    progress: context.progress,
  });
  context.signal.throwIfAborted();
  if (known) context.progress("an equal run of the gate passed before");
  if (!passed) throw gateFailed(`${gate.candidate}@${gate.digest}`, checks, folder);
  const found = checks.map(({ name, status, detail }) => ({ name, status, detail }));
  return {
    ...inputs,
    passed,
    checks: found,
    artifacts: artifacts as unknown as Value,
    memory: (memory ?? remembered ?? { layers: {} }) as unknown as Value,
  };
}

/** What an earlier run has not seen of artifacts: one that has no record, as of an earlier program, or that is now made another way. */
function unseen(oldOutputs: Values, { environments, announced }: Values): Record<string, Change> {
  const { artifacts } = unwrapSecrets(oldOutputs);
  const changes: Record<string, Change> = {};
  for (const environment of Array.isArray(environments) ? environments : []) {
    const record = isValues(artifacts) ? artifacts[environment as string] : undefined;
    const digest = isValues(announced) ? announced[environment as string] : undefined;
    if (!isValues(record)) changes.environments = "update";
    else if (typeof digest === "string" && digest !== record.digest) changes.announced = "update";
  }
  return changes;
}

/** Tests come from one place; with none, or with two that differ, it is nobody's choice which of them count. */
function testFailures({ repositories }: Values): Failure[] {
  if (!isValues(repositories)) return [];
  return Object.entries(repositories).flatMap(([name, repository]) => {
    const tests = isValues(repository) ? repository.tests : undefined;
    if (!isValues(tests)) return [];
    const places = [tests.folder, tests.git].filter((place) => place !== undefined && place !== null);
    return places.length === 1
      ? []
      : [
          {
            property: `repositories.${name}.tests`,
            reason: "takes one of folder and git, and no other number of them",
          },
        ];
  });
}

/** Paths in which a difference does not count: where a folder or a commit is says nothing of what is in it. */
function testFolders({ repositories }: Values): string[] {
  return isValues(repositories)
    ? Object.keys(repositories).flatMap((name) =>
        ["folder", "git"].flatMap((place) => [
          `repositories.${name}.tests.${place}`,
          `repositories["${name}"].tests.${place}`,
        ]),
      )
    : [];
}

/** The repository that has the image whole: the release's, else the candidate's. */
async function findImage(
  context: ResourceContext,
  client: RegistryClient,
  gate: RunInputs,
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
