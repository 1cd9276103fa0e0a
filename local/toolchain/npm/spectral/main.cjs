// What Node starts in the one file that build.mjs makes: spectral's script, with its code compiled already.
const { createRequire } = require("node:module");
const { getRawAsset } = require("node:sea");
const vm = require("node:vm");

const asset = (name) => Buffer.from(getRawAsset(name));
const script = new vm.Script(asset("spectral.js").latin1Slice(), {
  filename: "spectral.js",
  cachedData: asset("spectral.js.cache"),
});
const module_ = { exports: {} };
script.runInThisContext()(
  module_.exports,
  createRequire(process.execPath),
  module_,
  process.execPath,
  "/usr/local/bin",
);
