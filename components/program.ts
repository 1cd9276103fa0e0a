// The two things that the program itself needs of Pulumi: honest unknowns, and errors that are one sentence.
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
