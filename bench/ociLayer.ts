// A policy repository of 5,000 YAML files as a layer image: time and memory. Bounds: 2 s, 150 MB.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderLayerImage } from "../lib/oci/layer";

const count = 5000;

const policy = (index: number) => `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: policy-${index}
spec:
  validationFailureAction: Enforce
  rules:
${Array.from({ length: 10 }, (_, rule) => `    - name: rule-${rule}\n      match: {any: [{resources: {kinds: [Pod]}}]}\n      validate: {message: "rule ${rule} of ${index}", pattern: {spec: {hostNetwork: "false"}}}\n`).join("")}`;

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "bench-layer-"));
  try {
    for (let index = 0; index < count; index++) {
      const folder = join(dir, `group-${index % 50}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `policy-${index}.yaml`), policy(index));
    }
    const start = performance.now();
    const image = await folderLayerImage(dir, { at: "/repos/bench" });
    const seconds = (performance.now() - start) / 1000;
    const rss = process.resourceUsage().maxRSS / 1000;
    console.log(
      `${count} files, ${(image.layer.size / 1e6).toFixed(1)} MB of tar: ${seconds.toFixed(2)} s, ${rss.toFixed(0)} MB resident at most (bounds: 2 s, 150 MB)`,
    );
    process.exitCode = seconds <= 2 && rss <= 150 ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

void main();
