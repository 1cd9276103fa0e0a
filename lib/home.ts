// The user's home folder, as the environment of this process names it now.
import { homedir } from "node:os";

/** Absolute path. HOME decides, read as `env` has it: a worker thread has an environment of its own, of which the system knows nothing. */
export function homeFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.HOME || homedir();
}

/** A path that may start with `~/`, as a shell would have it. */
export function fromHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? homeFolder() + path.slice(1) : path;
}
