// policy-platform gate: the gate of a release on an image that is there already, on a laptop and in CI.
import { relative } from "node:path";
import type { BuildSettings } from "../config/settings";
import { findStackBase } from "../lib/base/find";
import { PlatformError } from "../lib/errors";
import { gateImage } from "../lib/gate/image";
import type { GatedRepository, GateInputs } from "../lib/gate/inputs";
import { usualLimits } from "../lib/gate/limits";
import type { RegistryClient } from "../lib/oci/client";
import { type Digest, shortDigest } from "../lib/oci/digest";
import { imageLabels } from "../lib/oci/imageConfig";
import { formatReference, parseReference, parseRepository, type Repository } from "../lib/oci/reference";
import { type Inputs, inputDigest, inputsLabel, parseInputs } from "../lib/pins/model";
import { compose } from "../lib/plan/composition";
import { unknownInputs } from "../lib/plan/plan";
import { filterRecord, mapRecord } from "../lib/record";
import { repositoryNames } from "../lib/registry/names";
import { stackClient } from "../lib/registry/stackClient";
import { versionTags } from "../lib/release/versions";
import { pinnedLayer } from "../lib/sources/repositorySource";
import { homesOf } from "../lib/sources/shippedPolicies";
import { testSources } from "../lib/sources/testSource";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";
import { stackSettings } from "./stackSettings";

export interface GateVerbOptions {
  /** Look again although an equal run passed. */
  readonly again?: boolean;
}

type Found = Repository & { readonly digest: Digest };

const symbols = { passed: "✔", failed: "✗", skipped: "–" } as const;

/** Exit code 1 when the image is refused. */
export async function gate(
  place: Place,
  reference: string | undefined,
  { again }: GateVerbOptions,
  output: Output,
): Promise<number> {
  const { stack, projectDir } = place;
  const settings = stackSettings(place);
  const releases = parseRepository(repositoryNames(settings.registry).releases(settings.image.name));
  const client = stackClient(settings.registry);
  const base = await findStackBase(client, settings, stateless);
  const composed = await compose(settings, { mayDownload: false, base: base?.digest, client });
  const image =
    reference === undefined
      ? await imageOfNow(client, settings, releases, composed, stack)
      : await namedImage(client, reference, releases);
  const labels = await imageLabels(client, image, image.digest);
  const pins = inputsIn(labels[inputsLabel], image);
  const inputs = gateInputs(settings, composed.folders, image.digest, pins);
  const shown = formatReference(image);
  narrate("doing", `the gate on ${shown}`);
  const found = await gateImage(inputs, {
    client,
    home: async () => image,
    projectDir,
    stack,
    // Also what lies under the name of the present inputs may be made of others.
    own:
      reference === undefined && composed.inputs !== undefined && inputDigest(composed.inputs) === inputs.inputDigest,
    again,
    progress: (text) => narrate("doing", text),
  });
  const folder = relative(process.cwd(), found.folder) || ".";
  const { passed, known } = found;
  const checks = found.checks.map(({ name, status, detail }) => ({ name, status, detail }));
  answer(
    output,
    { image: shown, digest: image.digest, passed, known, folder: found.folder, checks },
    checks.map(({ name, status, detail }) => `${symbols[status]} ${name}: ${detail}`),
  );
  const failed = checks.filter(({ status }) => status === "failed").length;
  if (known) narrate("done", "nothing was run: an equal run passed before (--again runs it)");
  else if (passed) narrate("done", `the gate passes; whole outputs are in ${folder}`);
  else narrate("failed", `the gate refuses it (${failed} of ${checks.length} checks); whole outputs are in ${folder}`);
  return passed ? exitCodes.ok : exitCodes.failed;
}

/** The stack's state is not asked: what is in the registry decides. */
const stateless = async () => undefined;

/** The image of the stack file and the folders as they are now: as it was built, or released. */
async function imageOfNow(
  client: RegistryClient,
  settings: BuildSettings,
  releases: Repository,
  { inputs, unknown }: Awaited<ReturnType<typeof compose>>,
  stack: string,
): Promise<Found> {
  if (!inputs) throw unknownInputs(settings, unknown, { stack })[0]!;
  const candidates = parseRepository(repositoryNames(settings.registry).candidates(settings.image.name));
  const tag = shortDigest(inputDigest(inputs));
  const built = await client.resolve(candidates, tag);
  if (!built) {
    throw new PlatformError("candidate-missing", {
      what: `${formatReference({ ...candidates, tag })}, the image of the present inputs, is not there`,
      rule: "the gate looks at an image that was built",
      fix: `build it (pulumi up --stack ${stack}), or name an image: policy-platform gate ${formatReference({ ...releases, tag: "latest" })}`,
    });
  }
  narrate("doing", `${formatReference({ ...candidates, tag })} is ${built.digest}`);
  return { ...candidates, digest: built.digest };
}

/** A digest, a tag of any repository, or a tag of this stack's releases. */
async function namedImage(client: RegistryClient, text: string, releases: Repository): Promise<Found> {
  const named = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(text) ? { ...releases, tag: text } : parseReference(text);
  const { registry, path, tag = "latest" } = named;
  if ("digest" in named && named.digest !== undefined) return { registry, path, digest: named.digest };
  const found = await client.resolve({ registry, path }, tag);
  if (!found) {
    const newest = versionTags(await client.tags({ registry, path })).slice(0, 5);
    throw new PlatformError("candidate-missing", {
      what: `there is no image ${formatReference({ registry, path, tag })}`,
      rule: "the gate looks at an image that was built",
      fix:
        newest.length > 0 ? `name one that is there, such as ${newest.join(", ")}` : "nothing was released there yet",
    });
  }
  narrate("doing", `${formatReference({ registry, path, tag })} is ${found.digest}`);
  return { registry, path, digest: found.digest };
}

function inputsIn(label: string | undefined, image: Found): Inputs {
  if (label !== undefined) return parseInputs(label);
  throw new PlatformError("image-foreign", {
    what: `${formatReference(image)} has no label ${inputsLabel}`,
    rule: "the gate holds an image to the pins that it names itself",
    fix: "name an image that this program built",
  });
}

/** What the image says that it is made of, held to the stack's settings. Tests count where the folder is what the image has. */
function gateInputs(
  settings: BuildSettings,
  folders: Awaited<ReturnType<typeof compose>>["folders"],
  digest: Digest,
  pins: Inputs,
): GateInputs {
  const names = repositoryNames(settings.registry);
  for (const name of Object.keys(pins.tools).filter((tool) => !Object.hasOwn(settings.tools, tool)))
    narrate("doing", `${name} is in the image and not in the stack file: how it says its version is not known`);
  const known = filterRecord(pins.tools, (_, name) => Object.hasOwn(settings.tools, name));
  return {
    digest,
    inputDigest: inputDigest(pins),
    tools: mapRecord(known, ({ version }, name) => ({ version, ...settings.tools[name]!.smoke })),
    repositories: mapRecord(pins.repositories, (pin, name): GatedRepository => {
      const source = settings.policies[name];
      const [home] = homesOf(source, parseRepository(names.policies(name)));
      const layers = { digest: pin.digest, layers: formatReference(home!) };
      // The tests of other content would say nothing of this image.
      const now = source && (pinnedLayer(source) ?? folders[name]?.digest);
      const tests = now === pin.digest ? testSources({ [name]: source! }, folders)[name] : undefined;
      return { ...layers, ...(tests && { tests }) };
    }),
    policyTests: settings.gate.policyTests,
    limits: {
      smoke: { ...usualLimits.smoke, ...settings.gate.smoke },
      checks: { ...usualLimits.checks, ...settings.gate.checks },
    },
    environments: settings.artifacts.environments,
    allow: settings.artifacts.allow,
    integration: settings.gate.integration,
    size: settings.gate.size,
  };
}
