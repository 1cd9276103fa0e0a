// policy-platform diff image artifact: whether the artifacts of a release hold the policies of its image, by the registry alone.
import { fromStackFile } from "../config/load";
import { parseSettings } from "../config/parse";
import { PlatformError } from "../lib/errors";
import { artifactHead } from "../lib/flux/head";
import { compareImage, type ImageArtifact } from "../lib/flux/imageArtifact";
import type { PolicyDifference } from "../lib/flux/parity";
import { readArtifact } from "../lib/flux/read";
import { listedDocuments } from "../lib/flux/unpacked";
import { counted, listed } from "../lib/gate/check";
import type { RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { formatReference, parseRepository, type Repository } from "../lib/oci/reference";
import { artifactsBeside } from "../lib/promotion/artifacts";
import { repositoryNames } from "../lib/registry/names";
import { stackClient } from "../lib/registry/stackClient";
import { recordedArtifacts } from "../lib/release/gateRecord";
import { type ReleasedContent, releasedContent } from "../lib/release/releasedContent";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";
import { stackState } from "./stackState";

/** Exit code 1 when one of them is not the same. */
export async function diffArtifact(place: Place, release: string | undefined, output: Output): Promise<number> {
  const { stack, projectDir, stackFile } = place;
  const settings = parseSettings(fromStackFile(stackFile, stack).raw, { stack, projectDir });
  const client = stackClient(settings.registry);
  const releases = parseRepository(repositoryNames(settings.registry).releases(settings.image.name));
  const image = await releasedContent(client, releases, release);
  narrate("doing", `${image.shown} is ${image.digest}`);
  const environments = image.inputs.artifacts?.environments ?? [];
  if (environments.length === 0) throw noEnvironments(image.shown, stack);
  const state = stackState(place);
  const found = [];
  for (const environment of environments)
    found.push(await compareOne(client, image, { environment, state: () => state(), stack }));
  const equal = found.every((one) => one.equal);
  answer(
    output,
    {
      image: image.shown,
      digest: image.digest,
      equal,
      environments: Object.fromEntries(found.map(({ environment, lines: _lines, ...one }) => [environment, one])),
    },
    found.flatMap(({ lines }) => lines),
  );
  narrate(
    equal ? "done" : "failed",
    equal ? "clusters get the policies of the image" : "clusters do not get the policies of the image",
  );
  return equal ? exitCodes.ok : exitCodes.failed;
}

interface Scene {
  readonly environment: string;
  /** The stack's resources by URN, where they can be read. */
  readonly state: () => Promise<unknown>;
  readonly stack: string;
}

/** One environment: what programs read, and its lines. */
async function compareOne(client: RegistryClient, image: ReleasedContent, { environment, state, stack }: Scene) {
  const home = parseRepository(artifactsBeside(formatReference(image.repository), environment));
  const { tag, head } = await artifactOf(client, home, image, stack);
  const { files } = await readArtifact(client, home, head.digest);
  const documents = listedDocuments(files);
  const compared = compareImage(image, { documents, render: head.render }, environment);
  const recorded = compared.charts && recordedArtifacts(await state(), image.digest)?.[environment];
  const equal = isEqual(compared) && (recorded === undefined || recorded === head.digest);
  const { policies, rules, differences } = compared.files;
  return {
    environment,
    equal,
    artifact: { repository: formatReference(home), tag, digest: head.digest },
    policies,
    rules,
    differences,
    ...(compared.charts && { charts: { ...compared.charts, ...(recorded && { recorded }) } }),
    lines: [
      `${equal ? "✔" : "✗"} ${environment}: ${formatReference({ ...home, tag })}`,
      `  files: ${counted(policies, "policy", "policies")} with ${counted(rules, "rule")} are the same`,
      ...differences.map((difference) => `  ${lineOf(difference)}`),
      ...chartLine(compared, recorded, head.digest),
    ],
  };
}

function isEqual({ files, charts }: ImageArtifact): boolean {
  return files.differences.length === 0 && (charts?.sameInputs ?? true);
}

/** What can be said of charts, and who says it. */
function chartLine({ charts }: ImageArtifact, recorded: Digest | undefined, digest: Digest): string[] {
  if (!charts) return [];
  const what = `  charts: ${counted(charts.policies, "policy", "policies")} with ${counted(charts.rules, "rule")}`;
  if (!charts.sameInputs)
    return [`${what}: the artifact does not say that it was rendered from the image's own charts, values and helm`];
  const said = "rendered from the image's own charts, values and helm, as the artifact says";
  if (recorded === undefined) return [`${what}: ${said}; no record of the gate is at hand`];
  return [
    recorded === digest
      ? `${what}: ${said}; the gate found this very artifact equal`
      : `${what}: ${said}; the gate found another artifact equal, ${recorded}`,
  ];
}

const signs = { onlyImage: "-", onlyArtifact: "+", differs: "~", missed: "~" } as const;
const meanings = {
  onlyImage: "is in the image alone",
  onlyArtifact: "is in the artifact alone",
  differs: "is another one in the artifact",
  missed: "was not checked",
} as const;

function lineOf({ policy, kind, path, rules }: PolicyDifference): string {
  const named = rules.length === 0 ? "" : `; ${rules.length === 1 ? "rule" : "rules"} ${listed(rules, 10)}`;
  return `${signs[kind]} ${listed([policy])} ${meanings[kind]} (${listed([path])}${named})`;
}

/** By the first of the image's tags that its repository of artifacts has. */
async function artifactOf(client: RegistryClient, home: Repository, { tags, shown }: ReleasedContent, stack: string) {
  for (const tag of tags) {
    const head = await artifactHead(client, home, tag);
    if (head) return { tag, head };
  }
  throw new PlatformError("artifact-missing", {
    what: `${formatReference(home)} has no artifact of ${shown}${tags.length > 0 ? ` (${tags.join(", ")})` : ", which has no version"}`,
    rule: "an artifact has the tags of the image whose policies it holds",
    fix: `release it again: pulumi up --refresh --stack ${stack}`,
  });
}

function noEnvironments(shown: string, stack: string): PlatformError {
  return new PlatformError("artifact-none", {
    what: `${shown} names no environment, so nothing of it is delivered`,
    rule: "an image says for which environments it has artifacts",
    fix: `name them, and release it: pulumi config set --path 'policy-platform:artifacts.environments[0]' NAME --stack ${stack}`,
  });
}
