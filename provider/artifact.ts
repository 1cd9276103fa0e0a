// policychain:index:Artifact: the policies of one environment as a Flux artifact. It is made again of the layer images that were
// tested, and pushed by digest only where it is what was announced.
import { PlatformError } from "../lib/errors";
import { type FluxArtifact, fluxArtifact } from "../lib/flux/artifact";
import { artifactFiles } from "../lib/flux/content";
import { artifactHead } from "../lib/flux/head";
import { layerFiles } from "../lib/flux/layerFiles";
import { madeOnce } from "../lib/flux/madeArtifacts";
import { pushArtifact } from "../lib/flux/push";
import { forgetRendered } from "../lib/flux/renderCache";
import type { RegistryClient } from "../lib/oci/client";
import { missingFrom } from "../lib/oci/copy";
import type { Digest } from "../lib/oci/digest";
import { parseRepository } from "../lib/oci/reference";
import { forgetArtifact } from "../lib/plan/artifactMemory";
import { mapRecordAsync } from "../lib/record";
import { stackOf } from "../lib/urn";
import { filesOfCharts } from "./artifactCharts";
import {
  diffInputs,
  isUnknown,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "./host";
import { parseFailures, requireDigest, schemaFailures } from "./inputs";
import { withMissing, withoutMissing } from "./missing";
import { idOf, pinned, registryClient } from "./registry";

const token = "policychain:index:Artifact";

/** Inputs once nothing is unknown. */
export interface ArtifactInputs {
  readonly repository: string;
  readonly environment: string;
  readonly repositories: Readonly<Record<string, { readonly digest: Digest; readonly layers: string }>>;
  readonly digest?: Digest;
  readonly gated: Digest;
  readonly revision?: Digest;
  readonly render?: Digest;
  readonly image: { readonly repository: string; readonly digest: Digest };
  readonly allow?: readonly string[];
  readonly helm?: string;
  readonly kyverno?: string;
  readonly insecure?: boolean;
}

/** What makes the content, where the digest does not say it. */
const content = ["repositories", "render", "allow", "kyverno"] as const;

export const artifact: ResourceHandler = {
  async check(_context, _olds, news) {
    const inputs = withoutMissing(news);
    const failures = schemaFailures(token, inputs);
    const digests = { digest: requireDigest, gated: requireDigest, revision: requireDigest, render: requireDigest };
    const parsers = { repository: parseRepository, "image.repository": parseRepository, ...digests };
    return { inputs, failures: failures.length > 0 ? failures : parseFailures(inputs, parsers) };
  },
  diff: async (_context, _id, oldInputs, oldOutputs, news) => {
    const wanted = digestOf(oldInputs, oldOutputs, news);
    const { changes } = diffInputs(
      { ...about(oldInputs), digest: oldOutputs.digest },
      { ...about(news), digest: wanted },
    );
    // What is there may be what was announced, and still not what the gate has seen: the update refuses it.
    return { changes: differ(wanted, news.gated) ? { ...changes, gated: "update" } : changes };
  },
  create: async (context, inputs) => ({ id: idOf(inputs.repository), outputs: await makeSo(context, inputs) }),
  update: (context, _id, _oldInputs, _oldOutputs, news) => makeSo(context, news),
  async read(context, id, inputs, outputs) {
    const { repository, digest, insecure } = unwrapSecrets(outputs) as unknown as Required<ArtifactInputs>;
    const home = parseRepository(repository);
    const missing = await missingFrom(registryClient(context, insecure, [home]), home, digest);
    if (missing.includes(digest)) return undefined;
    return { id, inputs: withMissing(inputs, missing), outputs: withMissing(outputs, missing) };
  },
};

/** What a difference is about, beside the digest. */
function about({ repository, missing }: Values): Values {
  return { repository, missing };
}

/** The digest that is wanted: where nobody says it yet, that of the state while what it is made of is the same. */
function digestOf(oldInputs: Values, oldOutputs: Values, news: Values): Values[string] {
  const wanted = news.digest ?? news.gated;
  if (news.digest != null || !isUnknown(wanted)) return wanted;
  const made = (values: Values): Values => Object.fromEntries(content.map((key) => [key, values[key] as Value]));
  const { changes } = diffInputs(made(oldInputs), made(news));
  return Object.keys(changes).length === 0 ? oldOutputs.digest : UNKNOWN;
}

/** Two digests that are known, and are not the same. */
function differ(announced: Values[string], gated: Values[string]): boolean {
  return [announced, gated].every((one) => typeof one === "string" && !isUnknown(one)) && announced !== gated;
}

async function makeSo(context: ResourceContext, inputs: Values): Promise<Values> {
  const wanted = unwrapSecrets(inputs);
  if (differ(wanted.digest, wanted.gated))
    throw await notGated(wanted as unknown as ArtifactInputs, stackOf(context.urn));
  const outputs = (digest: Values[string], revision: Values[string]): Values => ({
    ...inputs,
    digest,
    revision,
    reference:
      isUnknown(digest) || isUnknown(wanted.repository) ? UNKNOWN : pinned(String(wanted.repository), digest as Digest),
  });
  if (context.preview) return outputs(inputs.digest ?? inputs.gated ?? UNKNOWN, inputs.revision ?? UNKNOWN);
  const known = wanted as unknown as ArtifactInputs;
  const home = parseRepository(known.repository);
  const client = registryClient(context, known.insecure, [home]);
  if ((await missingFrom(client, home, known.gated)).length === 0) {
    const head = await artifactHead(client, home, known.gated);
    if (head) return outputs(head.digest, head.revision);
  }
  const made = await madeOnce(known.gated, () => make(context, client, known));
  if (known.gated !== made.digest) throw await otherContent(known, made, stackOf(context.urn));
  context.signal.throwIfAborted();
  const bytes = await pushArtifact(client, home, made);
  context.progress(`pushed ${bytes} bytes to ${known.repository}`);
  return outputs(made.digest, made.revision);
}

async function make(context: ResourceContext, client: RegistryClient, inputs: ArtifactInputs): Promise<FluxArtifact> {
  const { repositories, render, allow = [], kyverno } = inputs;
  const files = await mapRecordAsync(repositories, ({ layers, digest }, name) =>
    layerFiles(client, parseRepository(layers), { name, digest }),
  );
  const rendered = render && (await filesOfCharts(context, { ...inputs, render, files }));
  return fluxArtifact(artifactFiles({ repositories: files, rendered, allow, kyverno }).files, { render });
}

async function notGated(inputs: ArtifactInputs, stack: string): Promise<PlatformError> {
  await forget(inputs);
  const { environment, digest, gated } = inputs;
  return new PlatformError("artifact-mismatch", {
    what: `the gate has seen artifact ${gated} of ${environment}, and ${digest} was announced`,
    rule: "what is published is what the gate has seen, or nothing is",
    fix: `what this machine remembered of it is forgotten now; run it again, without --target and --exclude: pulumi up --stack ${stack}`,
  });
}

async function otherContent(inputs: ArtifactInputs, made: FluxArtifact, stack: string): Promise<PlatformError> {
  await forget(inputs);
  return new PlatformError("artifact-mismatch", {
    what: `the policies of ${inputs.environment} make the artifact ${made.digest}, and the gate has seen ${inputs.gated}`,
    rule: "what is published is what the gate has seen, or nothing is",
    fix: `run it again when nothing writes to the policies: pulumi up --stack ${stack}`,
  });
}

/** Whatever on this machine it may have come from: the next run computes it, and helm renders it, again. */
async function forget({ environment, render }: ArtifactInputs): Promise<void> {
  await forgetArtifact(process.cwd(), environment);
  if (render) await forgetRendered(render);
}
