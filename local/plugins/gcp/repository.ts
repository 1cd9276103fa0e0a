// gcp:artifactregistry/repository:Repository of the stand-in: a record with the inputs, and what Google Cloud adds to them.
import {
  diffInputs,
  isUnknown,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Values,
} from "../../../provider/host";
import { alreadyThere, notThere, wrongId } from "./errors";
import {
  createRecord,
  deleteRepository,
  type RepositoryName,
  readRecord,
  recordFile,
  replaceRecord,
  repositoryPath,
} from "./records";
import { repositoryFailures } from "./rules";

/** What another repository would be. */
const naming = ["project", "location", "repositoryId"];
const immutable = [...naming, "format"];

export const repository: ResourceHandler = {
  async check(_context, _olds, news) {
    return { inputs: news, failures: repositoryFailures(unwrapSecrets(news)) };
  },
  async diff(_context, _id, oldInputs, _oldOutputs, news) {
    const { changes } = diffInputs(oldInputs, news);
    const replaced = Object.keys(changes).filter((key) => immutable.includes(key));
    return {
      changes: { ...changes, ...Object.fromEntries(replaced.map((key) => [key, "update-replace" as const])) },
      deleteBeforeReplace: replaced.length > 0 && !replaced.some((key) => naming.includes(key)),
    };
  },
  async create(context, inputs) {
    if (context.preview) return { id: "", outputs: foreseen(inputs) };
    const plain = unwrapSecrets(inputs);
    const name = nameOf(plain);
    const now = new Date().toISOString();
    const record = { inputs: plain, createTime: now, updateTime: now };
    const id = repositoryPath(name);
    if (!(await createRecord(recordFile(name), record))) throw alreadyThere(context.urn, id);
    return { id, outputs: outputsOf(record) };
  },
  async read(_context, id) {
    const record = await readRecord(recordFile(nameOfId(id)));
    return record && { id, inputs: record.inputs as Values, outputs: outputsOf(record) };
  },
  async update(context, id, _oldInputs, oldOutputs, news) {
    if (context.preview) return { ...oldOutputs, ...news };
    return change(context, id, unwrapSecrets(news));
  },
  async delete(_context, id) {
    await deleteRepository(nameOfId(id));
  },
};

async function change(_context: ResourceContext, id: string, inputs: Values): Promise<Values> {
  const file = recordFile(nameOfId(id));
  const found = await readRecord(file);
  if (!found) throw notThere(id);
  const record = { ...found, inputs, updateTime: new Date().toISOString() };
  await replaceRecord(file, record);
  return outputsOf(record);
}

/** Outputs that only Google Cloud can say; a preview of the first run does not know them. */
function foreseen(inputs: Values): Values {
  const computed = ["name", "registryUri", "createTime", "updateTime", "pulumiLabels", "effectiveLabels"];
  return { mode: "STANDARD_REPOSITORY", ...inputs, ...Object.fromEntries(computed.map((name) => [name, UNKNOWN])) };
}

function outputsOf({ inputs, createTime, updateTime }: Values): Values {
  const given = inputs as Values;
  const { project, location, repositoryId } = nameOf(given);
  const labels = { ...(given.labels as Values | undefined), "goog-pulumi-provisioned": "true" };
  return {
    mode: "STANDARD_REPOSITORY",
    ...given,
    name: repositoryId,
    registryUri: `${location}-docker.pkg.dev/${project.replace(":", "/")}/${repositoryId}`,
    pulumiLabels: labels,
    effectiveLabels: labels,
    createTime,
    updateTime,
  };
}

function nameOf(inputs: Values): RepositoryName {
  const name = Object.fromEntries(naming.map((key) => [key, inputs[key]]));
  if (naming.some((key) => typeof name[key] !== "string" || isUnknown(name[key]))) throw new Error("no name to write");
  return name as unknown as RepositoryName;
}

function nameOfId(id: string): RepositoryName {
  const [, project, location, repositoryId] =
    /^projects\/([a-z][a-z0-9.:-]*)\/locations\/([a-z0-9-]+)\/repositories\/([a-z0-9-]+)$/.exec(id) ?? [];
  if (!project || !location || !repositoryId)
    throw wrongId(id, "projects/PROJECT/locations/LOCATION/repositories/REPOSITORY");
  return { project, location, repositoryId };
}
