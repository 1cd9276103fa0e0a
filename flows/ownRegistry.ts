// The stack's own registry as a run finds it: there, or, in a preview, yet to be created.
import type { PolicyRegistry } from "../components/registry";
import type { StackRegistry } from "../lib/stackRegistry";

export interface OwnRegistry<T extends StackRegistry> {
  /** For everything that reads it before the first resource. */
  readonly settings: T;
  /** Repositories that were not readable and count as empty, because this preview is to create them. */
  readonly unread: ReadonlySet<string>;
  /** For people, after it was read: what the preview could not see. */
  lines(): string[];
}

/** Waits, in an update, until the registry is there: everything after that reads it. */
export async function ownRegistry<T extends StackRegistry>(
  settings: T,
  registry: PolicyRegistry,
): Promise<OwnRegistry<T>> {
  const unread = new Set<string>();
  if (await registry.created()) return { settings, unread, lines: () => [] };
  return {
    settings: { ...settings, uncreated: (repository: string) => unread.add(repository) },
    unread,
    lines: () => [
      `the registry ${settings.address} is not created yet, or not all of it: pulumi up creates it`,
      ...[...unread].map(
        (repository) => `${repository} may not be read: not created yet, or no permission; it counts as empty here`,
      ),
    ],
  };
}
