// policy-platform repository push: what a policy team's CI runs to publish its folder as a layer image.
import { basename, resolve } from "node:path";
import { entryName } from "../config/grammar";
import { quoted } from "../config/problems";
import { PlatformError } from "../lib/errors";
import { testFolder } from "../lib/gate/folderTests";
import { kyvernoVersion } from "../lib/kyverno/version";
import { RegistryClient } from "../lib/oci/client";
import { missingFrom } from "../lib/oci/copy";
import type { Digest } from "../lib/oci/digest";
import { folderLayerImage, type LayerImage, pushLayerImage } from "../lib/oci/layer";
import { manifestType } from "../lib/oci/mediaTypes";
import { formatReference, parseReference, type Reference } from "../lib/oci/reference";
import { registryCredentials } from "../lib/oci/registryCredentials";
import { requirePolicies } from "../lib/policies/check";
import { answer, exitCodes, narrate, type Output } from "./screen";

export interface RepositoryPushOptions {
  readonly name?: string;
  readonly skipTests?: boolean;
  readonly insecure?: boolean;
}

/** A reference with its tag. */
type Tagged = Reference & { readonly tag: string };

export async function repositoryPush(
  folder: string,
  reference: string,
  options: RepositoryPushOptions,
  output: Output,
): Promise<number> {
  const target = tagged(reference);
  const name = nameOf(target, options);
  const shown = quoted(folder);
  narrate("doing", `checking ${shown}`);
  const image = await folderLayerImage(resolve(folder), { at: `/repos/${name}` });
  const kyverno = await kyvernoVersion();
  const repository = { shown: folder, source: resolve(folder), files: image.files };
  for (const note of await requirePolicies([repository], { kyverno })) narrate("doing", note);
  const tests = options.skipTests
    ? { status: "skipped" as const, detail: "by --skip-tests" }
    : await testFolder(resolve(folder), image.files);
  narrate(tests.status === "passed" ? "done" : "doing", `tests ${tests.status}: ${tests.detail}`);

  const moved = await publish(target, image, options.insecure === true);
  const pin = formatReference({ ...target, digest: image.digest });
  narrate("done", moved === undefined ? `${reference} was there already` : `${reference} is ${image.digest}`);
  const { registry, path, tag } = target;
  const data = {
    name,
    repository: `${registry}/${path}`,
    tag,
    digest: image.digest,
    pin,
    files: Object.keys(image.files).length,
    tests,
  };
  answer(output, data, [`policies.${name}.image: ${pin}`]);
  narrate("doing", `a stack takes it by: pulumi config set --path 'policy-platform:policies.${name}.image' '${pin}'`);
  return exitCodes.ok;
}

function tagged(reference: string): Tagged {
  const { digest, tag, ...repository } = parseReference(reference);
  if (digest === undefined && tag !== undefined) return { ...repository, tag };
  throw new PlatformError("push-reference", {
    what: `${quoted(reference)} has ${digest === undefined ? "no tag" : "a digest"}`,
    rule: "a repository is pushed under a tag, best a version; its digest follows from its content",
    fix: `name one: ${formatReference(repository)}:v1.0.0`,
  });
}

function nameOf({ path }: Tagged, { name = basename(path) }: RepositoryPushOptions): string {
  const refusal = entryName.refuse(name);
  if (refusal === undefined) return name;
  throw new PlatformError("push-name", {
    what: `${quoted(name)} cannot be the name of a policy repository`,
    rule: entryName.rule,
    fix: `name it: --name ${refusal.meant ?? entryName.example}`,
  });
}

/** What the tag pointed at before, or `"nothing"`; undefined where it pointed at this very image. */
async function publish(target: Tagged, image: LayerImage, insecure: boolean): Promise<Digest | "nothing" | undefined> {
  const { tag, ...repository } = target;
  const client = new RegistryClient({
    credentials: registryCredentials(),
    insecure: insecure ? [repository.registry] : [],
    log: (text) => narrate("doing", text),
  });
  const before = (await client.resolve(repository, tag))?.digest;
  if (before === image.digest && (await missingFrom(client, repository, image.digest)).length === 0) return undefined;
  if (before !== undefined && before !== image.digest) narrate("doing", `tag ${tag} is moved from ${before}`);
  await pushLayerImage(client, repository, image);
  await client.putManifest(repository, tag, image.manifest, manifestType);
  const found = (await client.resolve(repository, tag))?.digest;
  const missing = await missingFrom(client, repository, image.digest);
  if (found === image.digest && missing.length === 0) return before ?? "nothing";
  throw new PlatformError("push-not-kept", {
    what: `${formatReference(target)} is ${found ?? "not there"} after the push of ${image.digest}${missing.length > 0 ? `, and ${missing.length} parts of it are missing` : ""}`,
    rule: "what was pushed is read back before anybody is told of it",
    fix: "somebody else moves the same tag, or the registry does not keep what it takes: push again under a tag of your own",
  });
}
