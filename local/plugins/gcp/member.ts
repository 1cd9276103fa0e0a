// gcp:artifactregistry/repositoryIamMember:RepositoryIamMember of the stand-in: one member with one role on one repository.
import { rm } from "node:fs/promises";
import {
  type Change,
  diffInputs,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Values,
} from "../../../provider/host";
import { notThere, wrongId } from "./errors";
import { createRecord, type RepositoryName, readRecord, recordFile, repositoryPath } from "./records";
import { memberFailures } from "./rules";

interface Right extends RepositoryName {
  readonly role: string;
  readonly member: string;
}

/** An etag tells changes of a policy apart; here nobody compares it. */
const etag = "stand-in";

export const member: ResourceHandler = {
  async check(_context, _olds, news) {
    return { inputs: news, failures: memberFailures(unwrapSecrets(news)) };
  },
  async diff(_context, _id, oldInputs, _oldOutputs, news) {
    const changes = Object.keys(diffInputs(oldInputs, news).changes);
    return { changes: Object.fromEntries(changes.map((key) => [key, "update-replace" satisfies Change])) };
  },
  async create(context, inputs) {
    if (context.preview) return { id: "", outputs: { ...inputs, etag: UNKNOWN } };
    const plain = unwrapSecrets(inputs);
    const right = rightOf(plain);
    if (!(await readRecord(recordFile(right)))) throw notThere(repositoryPath(right));
    await createRecord(recordFile(right, right), { inputs: plain }); // given already is given
    return { id: idOf(right), outputs: { ...inputs, etag } };
  },
  async read(_context, id) {
    const right = rightOfId(id);
    const record = await readRecord(recordFile(right, right));
    return record && { id, inputs: record.inputs as Values, outputs: { ...(record.inputs as Values), etag } };
  },
  async update() {
    throw new Error("every change of a member is another member");
  },
  async delete(_context, id) {
    const right = rightOfId(id);
    await rm(recordFile(right, right), { force: true });
  },
};

function rightOf({ project, location, repository, role, member }: Values): Right {
  return { project, location, repositoryId: repository, role, member } as unknown as Right;
}

function idOf(right: Right): string {
  return `${repositoryPath(right)}/${right.role}/${right.member}`;
}

function rightOfId(id: string): Right {
  const form =
    /^projects\/([a-z][a-z0-9.:-]*)\/locations\/([a-z0-9-]+)\/repositories\/([a-z0-9-]+)\/(roles\/[^/]+)\/(.+)$/;
  const [, project, location, repositoryId, role, member] = form.exec(id) ?? [];
  if (!project || !location || !repositoryId || !role || !member)
    throw wrongId(id, "projects/PROJECT/locations/LOCATION/repositories/REPOSITORY/roles/ROLE/MEMBER");
  return { project, location, repositoryId, role, member };
}
