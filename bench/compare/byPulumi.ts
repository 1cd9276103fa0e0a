// The same release by this program: one `pulumi up` in a checkout, with the state where the last one left it and nothing else
// of it: no cache folder, nothing that was kept in the project.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestEngine } from "../../test/support/dockerEngine";
import { expectSuccess, type Project } from "../../test/support/project";
import { repositoryNames, type World } from "./world";

/** `host/path` of the platform image. */
export const pulumiImage = ({ host }: World) => `${host}/releases/policy-platform`;

/** The stack's configuration, with the check that the scripts have as their integration test. */
export function configurationOf({ host, base, packages, tools }: World): Record<string, unknown> {
  const pins = Object.entries(tools).map(([name, { version, path, sha256, digest }]) => [
    name,
    { version, release: { url: `http://${host}${path}`, sha256: sha256.slice("sha256:".length), digest } },
  ]);
  return {
    "policy-platform:registry": { kind: "existing", address: host },
    "policy-platform:base": { image: base, packages: { apt: packages } },
    "policy-platform:tools": Object.fromEntries(pins),
    "policy-platform:policies": Object.fromEntries(
      repositoryNames.map((name) => [name, { folder: `policies/${name}` }]),
    ),
    "policy-platform:gate": {
      integration: { app: { chart: "backend-applications/charts/app", policies: ["security-policy"] } },
    },
  };
}

export async function releaseByPulumi({ host }: TestEngine, project: Project): Promise<void> {
  const empty = mkdtempSync(join(tmpdir(), "runner-"));
  rmSync(join(project.dir, ".policy-platform"), { recursive: true, force: true });
  try {
    const env = { DOCKER_HOST: host, XDG_CACHE_HOME: join(empty, "cache"), NODE_COMPILE_CACHE: join(empty, "node") };
    await expectSuccess(project.with(env).pulumi("up", "--yes", "--skip-preview"));
  } finally {
    rmSync(empty, { recursive: true });
  }
}
