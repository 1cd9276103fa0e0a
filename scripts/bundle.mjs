// Builds every bundle that runs outside ts-node: the plugin, the closed-network plugins, the command and the local stack.
// Runs as npm's `prepare`, so a fresh `npm ci` has them all. One file each, not minified: a stack trace must be readable. Beside it lies
// what few commands need and all would pay for: a plugin's start is paid at every command.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { build } from "esbuild";

const bundles = [
  { entry: "provider/main.ts", out: "dist/policychain/pulumi-resource-policychain", executable: true },
  { entry: "local/plugins/docker/main.ts", out: "dist/plugins/docker/pulumi-resource-docker", executable: true },
  { entry: "local/plugins/gcp/main.ts", out: "dist/plugins/gcp/pulumi-resource-gcp", executable: true },
  { entry: "cli/main.ts", out: "dist/cli/policy-platform.js", executable: true },
  { entry: "local/main.ts", out: "dist/local/main.js", executable: false },
];

/** Google's library, loaded at the first login to one of its registries. */
const google = "google-auth-library";
const beside = {
  name: "beside",
  setup: ({ onResolve }) =>
    onResolve({ filter: new RegExp(`^${google}$`) }, () => ({ path: `./${google}.js`, external: true })),
};

const options = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  legalComments: "none",
  logLevel: "warning",
};

/** What a kept result of the gate was found by (lib/gate/judge.ts): the gate with all that it uses, as one file. */
const gate = await build({ ...options, plugins: [beside], entryPoints: ["lib/gate/image.ts"], write: false });
const gateDigest = `sha256:${createHash("sha256").update(gate.outputFiles[0].contents).digest("hex")}`;

for (const { entry, out, executable } of bundles) {
  if (!existsSync(entry)) continue;
  const folder = out.slice(0, out.lastIndexOf("/"));
  mkdirSync(folder, { recursive: true });
  const contents = `export { GoogleAuth } from "${google}";`;
  await build({ ...options, stdin: { contents, resolveDir: "." }, outfile: `${folder}/${google}.js` });
  await build({
    ...options,
    plugins: [beside],
    entryPoints: [entry],
    outfile: out,
    define: { GATE_DIGEST: JSON.stringify(gateDigest) },
    banner: executable ? { js: "#!/usr/bin/env node" } : {},
    external: executable && entry.startsWith("cli/") ? ["@pulumi/pulumi"] : [],
  });
  if (executable) chmodSync(out, 0o755);
}
