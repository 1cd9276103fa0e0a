// A configuration that is in order, and ways to spoil it.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { problemsOf } from "../../../config/parse";
import type { RawConfiguration } from "../../../config/settings";

export const hex = (character: string) => character.repeat(64);
export const pinned = (path: string) => `127.0.0.1:5000/${path}@sha256:${hex("a")}`;

/** A project folder with one policy repository in `policies/security-policy`. */
export function makeProject(): string {
  const projectDir = mkdtempSync(join(tmpdir(), "config-test-"));
  mkdirSync(join(projectDir, "policies/security-policy"), { recursive: true });
  writeFileSync(join(projectDir, "policies/security-policy/a.yaml"), "a: 1\n");
  return projectDir;
}

export const projectDir = makeProject();

/** Everything that can be said, valid. */
export function valid(): Record<string, never> {
  const configuration = {
    version: "auto",
    registry: { kind: "existing", address: "127.0.0.1:5000" },
    image: { name: "policy-platform", user: "65532:65532" },
    base: { image: pinned("layers/base") },
    tools: {
      kyverno: {
        version: "1.13.2",
        release: { url: "https://example.com/v1.13.2/kyverno.tar.gz", sha256: hex("b"), digest: `sha256:${hex("c")}` },
      },
      yq: { version: "4.54.1", image: pinned("layers/tools/yq") },
    },
    policies: { "security-policy": { folder: "policies/security-policy" } },
    gate: {
      smoke: { timeout: "60s", memory: "512Mi" },
      checks: { timeout: "5m", memory: "1Gi" },
      policyTests: "required",
    },
    artifacts: { environments: ["dev", "production"] },
    bundles: {},
    clusters: { dev: { environment: "dev", enforcement: "audit" } },
    mirrors: { "github.com": "https://mirror.example.com/github" },
  };
  return configuration as unknown as Record<string, never>;
}

/** A valid configuration with the value at a path replaced, or removed by `undefined`. */
export function spoiled(path: readonly string[], value: unknown): RawConfiguration {
  const configuration = valid() as Record<string, unknown>;
  let map = configuration;
  for (const part of path.slice(0, -1)) {
    map[part] ??= {};
    map = map[part] as Record<string, unknown>;
  }
  if (value === undefined) delete map[path.at(-1)!];
  else Object.defineProperty(map, path.at(-1)!, { value, enumerable: true, configurable: true, writable: true });
  return configuration;
}

/** Problems of a spoiled configuration of stack `dev`. */
export function problemsAfter(path: readonly string[], value: unknown) {
  return problemsOf(spoiled(path, value), { stack: "dev", projectDir });
}
