// The stack's own registry as a run finds it: there, or, in a preview, yet to be created.
import type { PolicyRegistry } from "../components/registry";
import { PlatformError } from "../lib/errors";
import type { RegistryClient } from "../lib/oci/client";
import { uncreatedLine } from "../lib/registry/declaredClient";
import { type StackRegistry, stackClient } from "../lib/registry/stackClient";
import type { StackPlace } from "./place";

export interface OwnRegistry {
  /** For everything that reads it, and other registries, before the first resource. */
  readonly client: RegistryClient;
  /** Repositories that were not readable and count as empty, because this preview is to create them. */
  readonly unread: ReadonlySet<string>;
  /** For people, after it was read: what the preview could not see. */
  lines(): string[];
}

/**
 * Waits, in an update, until the registry is there: everything after that reads it. Error: `registry-left-out`, for an update whose
 * targets are others.
 */
export async function ownRegistry(
  settings: StackRegistry,
  registry: PolicyRegistry,
  { stack, preview }: Pick<StackPlace, "stack" | "preview">,
): Promise<OwnRegistry> {
  const unread = new Set<string>();
  if (await registry.created()) return { client: stackClient(settings), unread, lines: () => [] };
  if (!preview) throw leftOut(settings.address, stack);
  return {
    client: stackClient(settings, (repository) => {
      unread.add(repository);
      return true;
    }),
    unread,
    lines: () => [
      `the registry ${settings.address} is not created yet, or not all of it: pulumi up creates it`,
      ...[...unread].map(uncreatedLine),
    ],
  };
}

function leftOut(address: string, stack: string): PlatformError {
  return new PlatformError("registry-left-out", {
    what: `the repositories of ${address} are not created yet, and this update leaves them out`,
    rule: "everything that a stack releases is pushed to the repositories that it declares",
    fix: `pulumi up --stack ${stack}, without --target and --exclude`,
  });
}
