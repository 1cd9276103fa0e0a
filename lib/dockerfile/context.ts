// The build context: one folder per Dockerfile, named by its content, holding nothing else.
// A fixed folder would let a second stack's preview replace the Dockerfile between this one's check and its build.
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256, shortDigest } from "../oci/digest";

/**
 * Writes `Dockerfile` once, by rename, and returns the folder relative to `project`: an absolute path would differ
 * in every checkout and so show as a change.
 */
export function writeContext(dockerfile: string, project = process.cwd()): string {
  const folder = contextFolder(dockerfile);
  const path = join(project, folder, "Dockerfile");
  if (existsSync(path)) return folder;
  mkdirSync(join(project, ".policy-platform", "partial"), { recursive: true });
  mkdirSync(join(project, folder), { recursive: true });
  const partial = join(project, ".policy-platform", "partial", `${shortDigest(sha256(dockerfile))}-${process.pid}`);
  writeFileSync(partial, dockerfile, { mode: 0o644 });
  renameSync(partial, path);
  return folder;
}

/** The folder that `writeContext` returns. */
export function contextFolder(dockerfile: string): string {
  return join(".policy-platform", "context", shortDigest(sha256(dockerfile)));
}
