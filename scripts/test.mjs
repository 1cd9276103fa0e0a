// Runs the tests and ends with the one line that counts them. `fast` needs nothing but npm ci, and readers of images, and tries
// a property on a tenth of its values; `all` first makes the local toolchain and services ready; `soak` runs the full counts of the fault tests.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";

const layers = {
  unit: ["test/unit/**/*.test.ts"],
  components: ["test/components/**/*.test.ts"],
  registry: ["test/registry/**/*.test.ts"],
  provider: ["test/provider/**/*.test.ts"],
  "end to end": ["test/e2e/**/*.test.ts"],
  soak: ["test/soak/**/*.test.ts"],
};
const suites = {
  fast: ["unit", "components", "registry"],
  all: ["unit", "components", "registry", "provider", "end to end"],
  soak: ["soak"],
};

/** Layers whose files share nothing: they run on both cores. */
const parallel = ["unit", "components", "registry"];

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
const total = { passed: 0, failed: 0 };
for (const layer of suites[suite]) {
  const start = Date.now();
  const { passed, failed } = await mocha(layers[layer], parallel.includes(layer) ? ["--parallel", "--jobs", "2"] : []);
  console.log(`${layer}: ${passed} passed, ${failed} failed in ${((Date.now() - start) / 1000).toFixed(1)} s\n`);
  total.passed += passed;
  total.failed += failed;
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

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

/** Engine, Docker, registry and tools as `npm run local` has them; builds and starts what is missing. */
async function localEnvironment() {
  const port =
    existsSync(".local/registry") || (await isFree(5000)) ? [] : ["--registry-port", String(await freePort())];
  const { status, stdout } = spawnSync(process.execPath, ["local/start.mjs", "env", "--json", ...port], {
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

/**
 * Counts from mocha's own summary; a run that ends without one counts as a failure. A test that skips itself (no root, no
 * mount) is a failure too, by --forbid-pending: so no run is green by what it left out.
 */
function mocha(files, options) {
  return new Promise((resolve) => {
    const child = spawn(
      "node",
      [
        "--import",
        "tsx",
        "node_modules/mocha/bin/mocha.js",
        "--timeout",
        "20000",
        "--forbid-only",
        "--forbid-pending",
        ...options,
        ...mochaArguments,
        ...files,
      ],
      { env: environment, stdio: ["ignore", "pipe", "inherit"] },
    );
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    child.on("close", (code) => {
      const count = (word) => Number(output.match(new RegExp(`^\\s+(\\d+) ${word}`, "m"))?.[1] ?? 0);
      const failed = count("failing");
      resolve({ passed: count("passing"), failed: code === 0 || failed > 0 ? failed : 1 });
    });
  });
}
