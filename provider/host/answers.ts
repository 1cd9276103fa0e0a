// The frame's answers in the engine's messages.
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { messageOf, PlatformError } from "../../lib/errors";
import { type Change, type DiffResult, topLevel } from "./diff";
import { type CheckResult, Unfinished } from "./handler";
import { toWire } from "./values";

/** Header lists are bounded (16 KiB at the engine), and the message is percent-encoded on the way. */
const maxMessage = 4000;

export function checkResponse(result: CheckResult): rpc.CheckResponse {
  const response = new rpc.CheckResponse();
  response.setInputs(toWire(result.inputs));
  for (const { property, reason } of result.failures ?? []) {
    const failure = new rpc.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    response.addFailures(failure);
  }
  return response;
}

const kinds: Record<Change, rpc.PropertyDiff.Kind> = {
  add: rpc.PropertyDiff.Kind.ADD,
  "add-replace": rpc.PropertyDiff.Kind.ADD_REPLACE,
  delete: rpc.PropertyDiff.Kind.DELETE,
  "delete-replace": rpc.PropertyDiff.Kind.DELETE_REPLACE,
  update: rpc.PropertyDiff.Kind.UPDATE,
  "update-replace": rpc.PropertyDiff.Kind.UPDATE_REPLACE,
};

/** Both forms of the same diff: the list of names is what `replaceOnChanges` and plain displays look at. */
export function diffResponse(result: DiffResult): rpc.DiffResponse {
  const response = new rpc.DiffResponse();
  const paths = Object.entries(result.changes);
  response.setChanges(
    paths.length > 0 ? rpc.DiffResponse.DiffChanges.DIFF_SOME : rpc.DiffResponse.DiffChanges.DIFF_NONE,
  );
  response.setHasdetaileddiff(true);
  for (const [path, change] of paths) {
    const property = new rpc.PropertyDiff();
    property.setKind(kinds[change]);
    property.setInputdiff(true);
    response.getDetaileddiffMap().set(path, property);
  }
  response.setDiffsList([...new Set(paths.map(([path]) => topLevel(path)))]);
  response.setReplacesList([
    ...new Set(paths.flatMap(([path, change]) => (change.endsWith("-replace") ? [topLevel(path)] : []))),
  ]);
  response.setStablesList([...(result.stables ?? [])]);
  response.setDeletebeforereplace(result.deleteBeforeReplace ?? false);
  return response;
}

/** A user's error is one sentence; anything else is a bug and keeps its stack. */
export function failure(
  error: unknown,
  stopped: AbortSignal,
  timeout: AbortSignal | undefined,
  seconds: number,
): Partial<ServiceError> {
  if (error instanceof Unfinished) return unfinished(error);
  if (stopped.aborted) return { code: status.CANCELLED, details: `stopped: ${messageOf(stopped.reason)}` };
  if (timeout?.aborted) return { code: status.DEADLINE_EXCEEDED, details: `not finished within ${seconds} s` };
  const details =
    error instanceof PlatformError ? error.message : (error instanceof Error && error.stack) || messageOf(error);
  return { code: status.UNKNOWN, details: details.slice(0, maxMessage) };
}

/** The message that the engine looks for beside the status, in the header that gRPC has for details. */
function unfinished({ id, outputs, inputs, message }: Unfinished): Partial<ServiceError> {
  const details = new rpc.ErrorResourceInitFailed();
  details.setId(id);
  details.setProperties(toWire(outputs));
  details.setInputs(toWire(inputs));
  details.setReasonsList([message.slice(0, maxMessage)]);
  const packed = new Any();
  packed.pack(details.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const answer = new Status();
  answer.setCode(status.UNKNOWN);
  answer.setMessage(message.slice(0, maxMessage));
  answer.addDetails(packed);
  const metadata = new Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(answer.serializeBinary()));
  return { code: status.UNKNOWN, details: message.slice(0, maxMessage), metadata };
}
