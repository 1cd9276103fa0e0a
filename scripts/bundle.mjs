// Builds every bundle that runs outside ts-node: the plugin, the closed-network plugins, the command and the local stack.
// Runs as npm's `prepare`, so a fresh `npm ci` has them all. One file each, not minified: a stack trace must be readable. Beside it lies
// what few commands need and all would pay for: a plugin's start is paid at every command.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const bundles = [
  { entry: "provider/main.ts", out: "dist/policychain/pulumi-resource-policychain", executable: true },
  { entry: "local/plugins/docker/main.ts", out: "dist/plugins/docker/pulumi-resource-docker", executable: true },
  { entry: "local/plugins/gcp/main.ts", out: "dist/plugins/gcp/pulumi-resource-gcp", executable: true },
  {
    entry: "local/plugins/kubernetes/main.ts",
    out: "dist/plugins/kubernetes/pulumi-resource-kubernetes",
    executable: true,
  },
  { entry: "cli/main.ts", out: "dist/cli/policy-platform.js", executable: true },
  { entry: "local/main.ts", out: "dist/local/main.js", executable: false },
];

/** What is loaded only when it is used: at the first login to a registry of Google's, at the first request to a cluster. */
const libraries = [
  { file: "google-auth-library.js", from: "google-auth-library", name: "GoogleAuth" },
  { file: "kubernetes-client.js", from: "@kubernetes/client-node/dist/config.js", name: "KubeConfig" },
];
const beside = {
  name: "beside",
  setup: ({ onResolve }) => {
    for (const { file, from } of libraries)
      onResolve({ filter: new RegExp(`^${from}$`) }, () => ({ path: `./${file}`, external: true }));
  },
};
/** Of the cluster's library only the kubeconfig is used; its classes for every kind, half of its size, are left out. */
const unusedLeftOut = {
  name: "unused left out",
  setup: ({ onResolve, resolve }) =>
    onResolve({ filter: /^\./ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === "seen" || !options.importer.includes("/@kubernetes/client-node/")) return undefined;
      return { ...(await resolve(path, { ...options, pluginData: "seen" })), sideEffects: false };
    }),
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

/** Each library as one file, made once however many bundles it lies beside: esbuild asks here for each of its thousand imports. */
const made = new Map();
function library({ file, from, name }) {
  if (!made.has(file)) made.set(file, bundleLibrary(`export { ${name} } from "${from}";`));
  return made.get(file);
}

async function bundleLibrary(contents) {
  const stdin = { contents, resolveDir: "." };
  const { outputFiles } = await build({ ...options, plugins: [unusedLeftOut], stdin, write: false });
  return outputFiles[0].contents;
}

for (const { entry, out, executable } of bundles) {
  if (!existsSync(entry)) continue;
  const folder = out.slice(0, out.lastIndexOf("/"));
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    ...options,
    plugins: [beside],
    entryPoints: [entry],
    outfile: out,
    define: { GATE_DIGEST: JSON.stringify(gateDigest) },
    banner: executable ? { js: "#!/usr/bin/env node" } : {},
    external: executable && entry.startsWith("cli/") ? ["@pulumi/pulumi"] : [],
    metafile: true,
  });
  const { imports } = metafile.outputs[out];
  for (const { file, from, name } of libraries) {
    if (!imports.some(({ path }) => path === `./${file}`)) continue;
    writeFileSync(`${folder}/${file}`, await library({ file, from, name }));
  }
  if (executable) chmodSync(out, 0o755);
}
