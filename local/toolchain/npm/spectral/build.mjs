// Makes spectral one program file: its packages as one script, that script's compiled code, and Node in front of both.
// Run as `node build.mjs FILE` by the pinned Node, in a folder where `npm ci` has put the pinned packages. Equal packages
// give equal bytes on every machine. docs/decisions/0040-spectral-is-one-file.md says why it is made like this.
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const at = (...names) => join(here, ...names);
const command = at("node_modules/@stoplight/spectral-cli/dist/index.js");
/** Where Node looks for what is put behind it, and what tells it to look: both are Node's own constants. */
const sea = { resource: "NODE_SEA_BLOB", fuse: "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2" };

function run(program, args, cwd = here) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8", maxBuffer: 64 << 20 });
  return { status, output: `${stdout}${stderr}` };
}

function must(what, { status, output }, expected = 0) {
  if (status !== expected) throw new Error(`${what} ended with ${status}: ${output.trim().slice(-2000)}`);
}

/** Replaces the one place that must be there: another version of the package must not pass unnoticed. */
function replaceOnce(text, from, to) {
  if (text.split(from).length !== 2) throw new Error(`${JSON.stringify(from)} is not there exactly once`);
  return text.replace(from, () => to);
}

/** The version is looked up in a package.json beside the script, which is not there any more. */
const tellVersion = {
  name: "version",
  setup: ({ onLoad }) =>
    onLoad({ filter: /spectral-cli\/dist\/index\.js$/ }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(at("node_modules/@stoplight/spectral-cli/package.json"), "utf8"));
      return { contents: replaceOnce(readFileSync(path, "utf8"), ".version()", `.version("${version}")`) };
    }),
};

async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: [command],
    bundle: true,
    write: false,
    platform: "node",
    target: "node22",
    format: "cjs",
    legalComments: "none",
    logLevel: "error",
    plugins: [tellVersion],
    alias: {
      // Its default build hides its parts from a bundler.
      "jsonc-parser": at("node_modules/jsonc-parser/lib/esm/main.js"),
      // Node's own warns at every start that it is deprecated.
      punycode: at("node_modules/punycode/punycode.js"),
    },
    // A watcher of another system, asked for where it is there.
    external: ["fsevents"],
  });
  const text = outputFiles[0].text.replace(/^#!.*\n/, "");
  return `(function (exports, require, module, __filename, __dirname) {${text}\n})`;
}

/** Code that V8 refuses costs nothing but time in the image: it must show here. */
function checkCompiled() {
  const cachedData = readFileSync(at("spectral.js.cache"));
  const script = new vm.Script(readFileSync(at("spectral.js"), "latin1"), { filename: "spectral.js", cachedData });
  if (script.cachedDataRejected) throw new Error("V8 refuses the compiled code that was kept");
}

/** Node without what only debuggers read: the symbols and sections that follow the parts which are loaded. */
function strip(node) {
  const [headers, size, count] = [Number(node.readBigUInt64LE(32)), node.readUInt16LE(54), node.readUInt16LE(56)];
  const ends = Array.from({ length: count }, (_, index) => {
    const header = headers + index * size;
    return Number(node.readBigUInt64LE(header + 8) + node.readBigUInt64LE(header + 32));
  });
  const stripped = Buffer.from(node.subarray(0, Math.max(headers + size * count, ...ends)));
  stripped.writeBigUInt64LE(0n, 40);
  stripped.writeUInt16LE(0, 60);
  stripped.writeUInt16LE(0, 62);
  return stripped;
}

const [target] = process.argv.slice(2);
writeFileSync(at("spectral.js"), await bundle(), "latin1");
// Without --predictable the compiled code has other bytes each time. The sample has one finding of severity error: 1.
must("warming up", run(process.execPath, ["--predictable", at("warm.cjs"), "lint", "*.yaml"], at("warm")), 1);
checkCompiled();
writeFileSync(
  at("sea.json"),
  JSON.stringify({
    main: "main.cjs",
    output: "spectral.blob",
    disableExperimentalSEAWarning: true,
    assets: { "spectral.js": "spectral.js", "spectral.js.cache": "spectral.js.cache" },
  }),
);
must("node --experimental-sea-config", run(process.execPath, ["--experimental-sea-config", "sea.json"]));
writeFileSync(target, strip(readFileSync(process.execPath)));
const inject = [
  "node_modules/postject/dist/cli.js",
  target,
  sea.resource,
  "spectral.blob",
  "--sentinel-fuse",
  sea.fuse,
];
must("postject", run(process.execPath, inject));
chmodSync(target, 0o755);
must("spectral", run(target, ["--version"]));
