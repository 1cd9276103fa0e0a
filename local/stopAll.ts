// `local:down` and `local:clean`: ends what was started here, and removes what was made here.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cacheFolder } from "../lib/cache";
import { PlatformError } from "../lib/errors";
import { stopClusters } from "./controlPlane/manage";
import { mountsBelow, stopEngine } from "./engine";
import type { Layout } from "./layout";
import { stopRegistry } from "./registry";
import { dropSalt, keepsSecrets } from "./stackFile";

/** Ends clusters, engine and registry of this checkout; resolves with one line for each. */
export async function stopServices(layout: Layout): Promise<string[]> {
  if (!existsSync(layout.root)) return ["nothing was started here"];
  const clusters = await stopClusters(layout);
  const engine = await stopEngine(layout);
  const registry = await stopRegistry(layout);
  return [
    ...clusters,
    engine ? "Docker engine stopped" : "no Docker engine of ours runs",
    registry ? "registry stopped" : "no registry of ours runs",
  ];
}

/** Removes `.local/`, and with `cache` also the built programs and bases. Errors: `secrets-kept`, `still-mounted`. */
export async function cleanUp(layout: Layout, { cache }: { cache: boolean }): Promise<string[]> {
  if (await keepsSecrets(layout)) {
    throw new PlatformError("secrets-kept", {
      what: "Pulumi.local.yaml holds secrets that only .local/passphrase opens",
      rule: "cleaning removes .local/",
      fix: "remove the `secure:` values, or keep a copy of .local/passphrase and delete .local yourself",
    });
  }
  const lines = await stopServices(layout);
  refuseMounts(layout);
  await dropSalt(layout);
  await rm(layout.root, { recursive: true, force: true });
  await rm(layout.engineRun, { recursive: true, force: true });
  if (cache) for (const folder of Object.values(layout.cache)) await rm(folder, { recursive: true, force: true });
  return [...lines, "removed .local", ...(cache ? [`removed what was built below ${cacheFolder()}`] : [])];
}

/** Deleting through a mount would delete what is mounted. */
function refuseMounts(layout: Layout): void {
  const [mounted] = mountsBelow([layout.root, layout.engineRun]);
  if (mounted === undefined) return;
  throw new PlatformError("still-mounted", {
    what: `${mounted} is still mounted`,
    rule: "nothing is deleted below a mount",
    fix: `umount ${mounted} and run it again`,
  });
}
