// A lock that the kernel releases when its last holder dies, however it dies: flock(1) on a file descriptor that this
// process keeps, and that a child takes over when it is handed on. Plain JavaScript: start.mjs needs it before npm ci.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/**
 * Takes the lock `file`, waiting for whoever holds it; resolves with the descriptor that holds it.
 * `waiting` is called once, with what the holder wrote into the file, when there is a wait.
 */
export async function acquireLock(file, { owner, waiting = () => {}, interval = 300 }) {
  let descriptor = open(file);
  for (let told = false; ; ) {
    if (tryLock(descriptor)) {
      if (isStill(file, descriptor)) break;
      // The holder removed the folder (`local:clean`): whoever comes next makes a new file, so ours is worth nothing.
      closeSync(descriptor);
      descriptor = open(file);
      continue;
    }
    if (!told) waiting(readOwner(file));
    told = true;
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
  ftruncateSync(descriptor);
  writeSync(descriptor, `${owner}\n`);
  return descriptor;
}

/** True when the descriptor holds the lock from now on. */
function tryLock(descriptor) {
  // The descriptor is the child's number 3; the lock belongs to what both have open, and outlives the child.
  const { status, error } = spawnSync("flock", ["--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  if (error) throw new Error(`flock cannot be run (${error.code}): install the package util-linux`);
  return status === 0;
}

function open(file) {
  mkdirSync(dirname(file), { recursive: true });
  return openSync(file, "a+");
}

function isStill(file, descriptor) {
  return existsSync(file) && statSync(file).ino === fstatSync(descriptor).ino;
}

function readOwner(file) {
  try {
    return readFileSync(file, "utf8").trim() || "an unknown process";
  } catch {
    return "an unknown process";
  }
}
