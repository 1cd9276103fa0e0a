// What the program itself needs of Pulumi: honest unknowns, errors that are one sentence, and its own last state.
import * as pulumi from "@pulumi/pulumi";
import { PlatformError } from "../lib/errors";

/** The value, or an unknown where a preview cannot have it. */
export function known<T>(value: T | undefined): pulumi.Output<T> {
  return pulumi.output((value === undefined ? pulumi.unknown : value) as T) as pulumi.Output<T>;
}

/** Runs `program`; what a user can mend is shown as its message alone, anything else keeps its stack. */
export async function asRunError<T>(program: () => Promise<T>): Promise<T> {
  try {
    return await program();
  } catch (error) {
    throw error instanceof PlatformError ? new pulumi.RunError(error.message) : error;
  }
}

/** Outputs of the resources in this stack's own state, by URN: what the last run that ended well, or a refresh, left there. */
export async function stateOf(): Promise<unknown> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const { outputs } = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", { stackName });
  return outputs;
}
