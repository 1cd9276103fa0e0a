// Runs the tests and ends with the one line that counts them. `fast` needs nothing but npm ci, and readers of images, and tries
// a property on a tenth of its values; `all` first makes the local toolchain and services ready; `soak` runs the full counts of the fault tests.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { resultOf, runFiles } from "./testFiles.mjs";

/** Name → folders below test/ whose files are run together. */
const layers = {
  "unit, components and registry": ["registry", "components", "unit"],
  provider: ["provider"],
  "end to end": ["e2e"],
  soak: ["soak"],
};
/** Many short files, which two processes take in turn; a file of the others is a process of its own. */
const short = "unit, components and registry";
const suites = { fast: [short], all: [short, "provider", "end to end"], soak: ["soak"] };

const [suite = "all", ...mochaArguments] = process.argv.slice(2);
if (!Object.hasOwn(suites, suite)) {
  console.error(`unknown suite ${suite}; the suites are ${Object.keys(suites).join(", ")}; npm test`);
  process.exit(2);
}
installPackages();
prepareRegistry();
const environment =
  suite === "fast"
    ? { ...process.env, POLICY_PLATFORM_FEW_VALUES: "1" }
    : { ...process.env, ...(await localEnvironment()) };
const command = [
  ...["node", "--import", "tsx", "node_modules/mocha/bin/mocha.js"],
  ...["--timeout", "20000", "--forbid-only", "--forbid-pending", ...mochaArguments],
];
const total = { passed: 0, failed: 0, files: [] };
for (const layer of suites[suite]) {
  const start = Date.now();
  const files = layers[layer].flatMap(filesOf);
  const run =
    layer === short
      ? inTurn(files)
      : runFiles(files, { command, env: environment, withoutTests: mochaArguments.length > 0 });
  const { passed, failed, files: red = [] } = await run;
  console.log(`${layer}: ${passed} passed, ${failed} failed in ${((Date.now() - start) / 1000).toFixed(1)} s\n`);
  total.passed += passed;
  total.failed += failed;
  total.files.push(...red);
}
for (const file of total.files) console.log(`✗ ${file}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

/** Paths of the test files below a folder of test/, in the order of the alphabet. */
function filesOf(name) {
  const folder = join("test", name);
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".test.ts"));
  return names.sort().map((name) => join(folder, name));
}

/** The readers of images that are not ours. */
function installPackages() {
  const missing = ["skopeo", "umoci"].filter((program) => spawnSync("which", [program]).status !== 0);
  if (missing.length === 0) return;
  const hint = `the tests need ${missing.join(", ")}; apt-get install ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) throw new Error(hint);
  console.log(`installing ${missing.join(", ")}`);
  const options = {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  };
  spawnSync("apt-get", ["update", "-q"], options);
  if (spawnSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...missing], options).status !== 0)
    throw new Error(hint);
}

/** The registry that the tests start, in the cache folder: installed, its package would start a service on port 5000. */
function prepareRegistry() {
  if (spawnSync("which", ["docker-registry"]).status === 0) return;
  const { status } = spawnSync("node", ["--import", "tsx", "scripts/prepareRegistry.ts"], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

/** Engine, Docker, registry, tools and a cluster as `npm run local` has them; builds and starts what is missing. */
async function localEnvironment() {
  const cluster = "tests"; // as test/support/testCluster.ts has it
  const port =
    existsSync(".local/registry") || (await isFree(5000)) ? [] : ["--registry-port", String(await freePort())];
  const clusterPort =
    existsSync(`.local/clusters/${cluster}`) || (await isFree(6443))
      ? []
      : ["--cluster-port", String(await freePort())];
  const args = ["local/start.mjs", "env", "--json", "--cluster", "--cluster-name", cluster, ...port, ...clusterPort];
  const { status, stdout } = spawnSync(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) process.exit(1);
  return JSON.parse(stdout);
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** mocha's own way of two processes, which load what the files share once. */
function inTurn(files) {
  return new Promise((resolve) => {
    const [program, ...args] = [...command, "--parallel", "--jobs", "2", ...files];
    const child = spawn(program, args, { env: environment, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    child.on("close", (code) => resolve(resultOf(output, code)));
  });
}
