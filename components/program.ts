// What the program itself needs of Pulumi: honest unknowns, errors that are one sentence, and its own last state.
import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import type { FoundBase } from "../lib/base/find";
import { PlatformError } from "../lib/errors";
import { isDigest } from "../lib/oci/digest";
import { parsePinned } from "../lib/oci/reference";

/** The value, or an unknown where a preview cannot have it. */
export function known<T>(value: T | undefined): pulumi.Output<T> {
  return pulumi.output((value === undefined ? pulumi.unknown : value) as T) as pulumi.Output<T>;
}

/** The same as `output(value).apply(use)`, without the SDK's walk through every part of a value that is known: of a large one it takes longer than its use. */
export function whenKnown<T, U>(value: pulumi.Input<T>, use: (value: T) => pulumi.Input<U>): pulumi.Output<U> {
  const isLater = pulumi.Output.isInstance(value) || value instanceof Promise;
  if (isLater) return pulumi.output(value).apply((its) => use(its as T)) as pulumi.Output<U>;
  return pulumi.output(0).apply(() => use(value as T)) as pulumi.Output<U>;
}

/** A base as it was found, with the digest of `reference` once its build has ended: undefined where a preview cannot have it. */
export async function asBuilt(
  found: FoundBase | undefined,
  reference: pulumi.Output<string>,
): Promise<FoundBase | undefined> {
  if (!found) return undefined;
  const { digest: _, ...rest } = found;
  const built = await (reference as unknown as { promise(): Promise<string | undefined> }).promise();
  return built === undefined ? rest : { ...rest, digest: parsePinned(built).digest };
}

/** What a registry has of a build: only the form `name@sha256:…` of repoDigest says so. */
export function registryDigest({ repoDigest }: { readonly repoDigest: pulumi.Output<string> }): pulumi.Output<string> {
  return repoDigest.apply((text) => {
    const digest = text.slice(text.lastIndexOf("@") + 1);
    if (!isDigest(digest)) throw new Error(`docker.Image returned no registry digest: ${JSON.stringify(text)}`);
    return digest;
  });
}

/** Runs `program`; what a user can mend is shown as its message alone, anything else keeps its stack. */
export async function asRunError<T>(program: () => Promise<T>): Promise<T> {
  try {
    return await program();
  } catch (error) {
    throw error instanceof PlatformError ? new pulumi.RunError(error.message) : error;
  }
}

/** The waits before a state is read once more, in ms: the engine's own write of it takes a few. */
const waits = [20, 50, 100, 200, 400, 800];

/** Outputs of the resources in this stack's own state, by URN: what the last run that ended well, or a refresh, left there. */
export function stateOf(): Promise<unknown> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  return readOutputs("pulumi:pulumi:readStackResourceOutputs", { stackName });
}

/** The outputs of another stack of this backend, secrets left out. The engine's error where there is none. */
export function outputsOf(stackName: string): Promise<unknown> {
  return readOutputs("pulumi:pulumi:readStackOutputs", { name: stackName });
}

/** An engine writes each step into a state while a program asks for it, and a file backend shows a file that is half-written. */
async function readOutputs(token: string, args: Readonly<Record<string, string>>): Promise<unknown> {
  const read = () => pulumi.runtime.invoke(token, args);
  for (const wait of waits) {
    const found = await read().catch(() => undefined);
    if (found) return found.outputs;
    await sleep(wait);
  }
  return (await read()).outputs;
}
