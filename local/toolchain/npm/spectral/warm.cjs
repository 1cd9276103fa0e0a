// Runs spectral's script once and keeps the code that V8 has compiled by then, in spectral.js.cache.
const { readFileSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const v8 = require("node:v8");
const vm = require("node:vm");

// Compiled code that rests is thrown away, sooner on a machine with little memory: the bytes must not depend on that.
v8.setFlagsFromString("--no-flush-bytecode");
const script = new vm.Script(readFileSync(join(__dirname, "spectral.js"), "latin1"), { filename: "spectral.js" });
process.on("exit", () => {
  // Code of other flags would be refused when it is loaded.
  v8.setFlagsFromString("--flush-bytecode");
  writeFileSync(join(__dirname, "spectral.js.cache"), script.createCachedData());
});
const module_ = { exports: {} };
script.runInThisContext()(
  module_.exports,
  createRequire(__filename),
  module_,
  "/usr/local/bin/spectral",
  "/usr/local/bin",
);
