// policychain:index:ClusterFiles: clusters as files in folders of the project, for others to commit. Written by updates alone, as the
// engine says what is one; a cluster that left the stack takes along what was written for it, unless somebody changed that since.
import { resolve } from "node:path";
import { contentDigest, keptContents } from "../lib/flux/renderedContents";
import { renderedChanges, renderedIn, writeRendered } from "../lib/flux/renderedFolder";
import { stackOf } from "../lib/urn";
import {
  type Change,
  diffInputs,
  isUnknown,
  isValues,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Values,
} from "./host";
import { parseFailures, requireDigest, schemaFailures } from "./inputs";

const token = "policychain:index:ClusterFiles";

/** Digest of its files, by folder. */
type Folders = Readonly<Record<string, string>>;

export const clusterFiles: ResourceHandler = {
  async check(_context, _olds, news) {
    const failures = schemaFailures(token, news);
    if (failures.length > 0) return { inputs: news, failures };
    const digests = foldersIn(news) ?? {};
    const found = Object.keys(digests).flatMap((folder) =>
      parseFailures({ digest: digests[folder] }, { digest: requireDigest }).map(({ reason }) => ({
        property: `folders["${folder}"]`,
        reason,
      })),
    );
    return { inputs: news, failures: found };
  },
  async diff(_context, _id, oldInputs, _oldOutputs, news) {
    const { changes } = diffInputs(oldInputs, news);
    return { changes: { ...changes, ...(await edited(foldersIn(news) ?? {})) } };
  },
  create: async (context, inputs) => ({
    id: isUnknown(unwrapSecrets(inputs).folders) ? "" : "rendered",
    outputs: await write(context, inputs, {}),
  }),
  update: (context, _id, oldInputs, _oldOutputs, news) => write(context, news, foldersIn(oldInputs) ?? {}),
  delete: (context, _id, outputs) => leave(context, foldersIn(outputs) ?? {}),
};

/** Undefined while one of them is not known. */
function foldersIn(values: Values): Folders | undefined {
  const { folders } = unwrapSecrets(values);
  return isValues(folders) && !Object.values(folders).some(isUnknown) ? (folders as Folders) : undefined;
}

/** Folders whose files somebody changed or took away. */
async function edited(folders: Folders): Promise<Record<string, Change>> {
  const changes: Record<string, Change> = {};
  for (const [folder, digest] of Object.entries(folders))
    if (contentDigest(await renderedIn(folder)) !== digest) changes[`folders["${folder}"]`] = "update";
  return changes;
}

async function write(context: ResourceContext, inputs: Values, before: Folders): Promise<Values> {
  const folders = foldersIn(inputs);
  if (!folders) return { ...inputs, folders: isValues(inputs.folders) ? inputs.folders : UNKNOWN };
  const contents = await keptContents(process.cwd(), stackOf(context.urn), folders);
  for (const [folder, files] of Object.entries(contents)) {
    context.signal.throwIfAborted();
    await bring(context, folder, new Map(Object.entries(files)));
  }
  const paths = new Set(Object.keys(folders).map((folder) => resolve(folder)));
  await leave(context, Object.fromEntries(Object.entries(before).filter(([folder]) => !paths.has(resolve(folder)))));
  return inputs;
}

/** Takes away what was written into folders that no cluster has any more, and leaves what is another content by now. */
async function leave(context: ResourceContext, folders: Folders): Promise<void> {
  for (const [folder, digest] of Object.entries(folders)) {
    const files = await renderedIn(folder);
    if (Object.keys(files).length === 0) continue;
    if (contentDigest(files) === digest) await bring(context, folder, new Map());
    else
      context.warn(
        `${folder} was written for a cluster that is no longer in this stack, and changed since: its files stay, and whoever applies them goes on doing so; remove them where nobody needs them`,
      );
  }
}

async function bring(context: ResourceContext, folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const changes = await (context.preview ? renderedChanges : writeRendered)(folder, files, process.cwd());
  if (changes.length === 0) return;
  const list = changes.map(({ file, change }) => (change === "remove" ? `${file} (removed)` : file)).join(", ");
  context.info(`${folder}: ${context.preview ? "would change" : "changed"} ${list}`);
}
