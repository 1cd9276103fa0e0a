// What each cluster costs that is rendered to a folder: a program that reads the configuration of a stack and renders 1 to 1,000 of
// its clusters, previewed, updated, and updated again when nothing changed.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../lib/exec";
import { expectSuccess } from "../test/support/project";
import { type Figure, timed } from "./figure";

const root = join(__dirname, "..");
const linked = ["tsconfig.json", "package.json", "node_modules", "components", "config", "lib", "provider", "test"];
const counts = [1, 10, 100, 1000];
const allowedMilliseconds = 25;

const program = `import "./components/lightSdk";
import { RenderedClusters } from "./components/renderedClusters";
import { parseSettings } from "./config/parse";
import { deliveryFacts } from "./lib/flux/delivery";
import { documentOf } from "./test/support/policyDocuments";

const promotion = { from: "127.0.0.1:5000/releases/p", version: "v1.0.0", digest: "sha256:" + "d".repeat(64), commit: "0123456789ab" };
const names = Array.from({ length: Number(process.env.BENCH_CLUSTERS) }, (_, index) => "c" + index);
const clusters = Object.fromEntries(names.map((name) => [name, { enforcement: "enforce", environment: "dev", render: "clusters/" + name }]));
const raw = { registry: { address: "127.0.0.1:5000" }, promotion, clusters };
const settings = parseSettings(raw, { stack: "local", projectDir: process.cwd() });
const documents = Array.from({ length: 30 }, (_, index) =>
  documentOf("kyverno.io/v1", "ClusterPolicy", "policy-" + index, { rules: [{ name: "r", validate: {} }] }));
const artifact = { repository: "127.0.0.1:5000/releases/policies/dev", digest: promotion.digest };
new RenderedClusters("rendered", {
  clusters: Object.fromEntries(
    Object.entries(settings.clusters).map(([name, { pullSecret, render, ...cluster }]) => [
      name,
      { ...cluster, ...artifact, folder: render!, policies: deliveryFacts(documents as never, cluster) },
    ]),
  ),
});
`;

export async function measure(): Promise<Figure[]> {
  const times = new Map<number, readonly number[]>();
  for (const count of counts) times.set(count, await runs(count));
  const verbs = ["preview", "first up", "up, nothing to do"];
  return verbs.map((verb, index) => {
    const all = counts.map((count) => times.get(count)![index]!);
    const each = counts.slice(1).map((count, at) => ((all[at + 1]! - all[0]!) / (count - 1)) * 1000);
    return {
      what: `pulumi ${verb}, of ${counts.join(", ")} clusters rendered to folders`,
      goal: `linear, ≤ ${allowedMilliseconds} ms for each cluster`,
      measured: `${all.map((one) => `${one.toFixed(1)} s`).join(", ")}; ${each.map((one) => `${one.toFixed(1)} ms`).join(", ")} each`,
      // Few clusters are less than what two runs differ by.
      met: each.slice(1).every((one) => one <= allowedMilliseconds),
    };
  });
}

/** Seconds of a preview, of the update that writes, and of one that has nothing to do. */
async function runs(count: number): Promise<readonly number[]> {
  const dir = mkdtempSync(join(tmpdir(), "policy-platform-clusters-"));
  try {
    for (const name of linked) symlinkSync(join(root, name), join(dir, name));
    mkdirSync(join(dir, "state"));
    const plugin = `plugins:\n  providers:\n    - {name: policychain, path: ${join(root, "dist/policychain")}}\n`;
    writeFileSync(join(dir, "Pulumi.yaml"), `name: policy-platform\nruntime: nodejs\nmain: ./\n${plugin}`);
    writeFileSync(join(dir, "index.ts"), program);
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter((one): one is [string, string] => one[1] !== undefined)),
      PULUMI_BACKEND_URL: `file://${join(dir, "state")}`,
      XDG_CACHE_HOME: join(dir, "cache"),
      PULUMI_CONFIG_PASSPHRASE: "bench",
      PULUMI_NODEJS_TRANSPILE_ONLY: "true",
      BENCH_CLUSTERS: String(count),
    };
    const pulumi = (...args: string[]) =>
      expectSuccess(
        exec("pulumi", [...args, "--non-interactive", "-s", "local"], {
          cwd: dir,
          env,
          timeout: 600_000,
          maxOutput: 2 ** 28,
        }),
      );
    await pulumi("stack", "init");
    await pulumi("preview");
    return [
      await timed(() => pulumi("preview")),
      await timed(() => pulumi("up", "--yes", "--skip-preview")),
      await timed(() => pulumi("up", "--yes", "--skip-preview")),
    ];
  } finally {
    rmSync(dir, { recursive: true });
  }
}
