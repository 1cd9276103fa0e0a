// Turns an Output into a promise, so that an assertion about it is awaited: one inside a bare apply can never fail.
import type * as pulumi from "@pulumi/pulumi";

/** Resolves with the value, or with `undefined` where it is unknown in a preview. */
export function unwrap<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  return (output as unknown as { promise(withUnknowns?: boolean): Promise<T> }).promise();
}
