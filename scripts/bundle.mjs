// Builds every bundle that runs outside ts-node: the plugin, the closed-network plugins, the command and the local stack.
// Runs as npm's `prepare`, so a fresh `npm ci` has them all. One file each, not minified: a stack trace must be readable.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { build } from "esbuild";

const bundles = [
  { entry: "provider/main.ts", out: "dist/policychain/pulumi-resource-policychain", executable: true },
  { entry: "local/plugins/docker/main.ts", out: "dist/plugins/docker/pulumi-resource-docker", executable: true },
  { entry: "cli/main.ts", out: "dist/cli/policy-platform.js", executable: true },
  { entry: "local/main.ts", out: "dist/local/main.js", executable: false },
];

const options = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  legalComments: "none",
  logLevel: "warning",
};

/** What a kept result of the gate was found by (lib/gate/judge.ts): the gate with all that it uses, as one file. */
const gate = await build({ ...options, entryPoints: ["lib/gate/image.ts"], write: false });
const gateDigest = `sha256:${createHash("sha256").update(gate.outputFiles[0].contents).digest("hex")}`;

for (const { entry, out, executable } of bundles) {
  if (!existsSync(entry)) continue;
  mkdirSync(out.slice(0, out.lastIndexOf("/")), { recursive: true });
  await build({
    ...options,
    entryPoints: [entry],
    outfile: out,
    define: { GATE_DIGEST: JSON.stringify(gateDigest) },
    banner: executable ? { js: "#!/usr/bin/env node" } : {},
    external: executable && entry.startsWith("cli/") ? ["@pulumi/pulumi"] : [],
  });
  if (executable) chmodSync(out, 0o755);
}
