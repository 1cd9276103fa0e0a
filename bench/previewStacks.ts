// What a preview of the two environments costs over an empty program with the plugins that each needs: a stack that releases
// 20 repositories and 10 tools, and one that promotes what that one released. Nothing to do in either.
import { createProject, expectSuccess, type ProjectStack, preparedPins } from "../test/support/project";
import { startRegistry } from "../test/support/registry";
import { pushTool } from "../test/support/smallStack";
import { createEmptyProject } from "./emptyProject";
import type { Figure } from "./figure";
import { overEmpty } from "./preview";
import { inTurns } from "./turns";

const repositories = 20;
const tools = 10;
const allowedDev = 0.6;
const allowedProd = 0.4;

export async function measure(): Promise<Figure[]> {
  const registry = await startRegistry({ onDisk: true });
  const project = await createProject(registry.host);
  try {
    const names = Array.from({ length: repositories }, (_, index) => `repository-${index}`);
    for (const name of names) project.write(`policies/${name}/policies/${name}.yaml`, policy(name));
    await project.commit("Add repositories");
    const dev = await project.addStack("dev", {
      "policy-platform:registry": { kind: "existing", address: registry.host },
      "policy-platform:base": preparedPins()["policy-platform:base"],
      "policy-platform:tools": await manyTools(registry.host),
      "policy-platform:policies": Object.fromEntries(names.map((name) => [name, { folder: `policies/${name}` }])),
    });
    await dev.up();
    const { image, version } = await dev.outputs();
    const prod = await project.addStack("prod", {
      "policy-platform:registry": { kind: "existing", address: `${registry.host}/prod` },
      "policy-platform:promotion": {
        from: image.repository,
        version,
        digest: image.digest,
        commit: image.tags[0].replace(/^sha-/, ""),
      },
    });
    await prod.up();
    return [
      await preview(dev, project.env, {
        what: `pulumi preview of stack dev, ${repositories} repositories and ${tools} tools, over an empty program with the same plugins`,
        plugins: ["docker", "policychain"],
        allowedSeconds: allowedDev,
      }),
      await preview(prod, project.env, {
        what: "pulumi preview of stack prod, which promotes it, over an empty program with the same plugin",
        plugins: ["policychain"],
        allowedSeconds: allowedProd,
      }),
    ];
  } finally {
    project.remove();
    await registry.stop();
  }
}

async function preview(
  stack: ProjectStack,
  env: Readonly<Record<string, string>>,
  { what, plugins, allowedSeconds }: { what: string; plugins: readonly string[]; allowedSeconds: number },
): Promise<Figure> {
  const empty = await createEmptyProject(env, plugins);
  try {
    const [ours, theirs] = await inTurns([
      () => expectSuccess(stack.pulumi("preview", "--expect-no-changes")),
      () => empty.pulumi("preview"),
    ]);
    return overEmpty({ what, allowedSeconds, ours, theirs });
  } finally {
    empty.remove();
  }
}

/** A few lines of shell each: what a tool weighs is nothing that a preview reads. */
async function manyTools(registry: string): Promise<Record<string, unknown>> {
  const pins: Record<string, unknown> = {};
  for (let number = 0; number < tools; number++) {
    const name = `tool-${number}`;
    pins[name] = await pushTool(registry, name, "1.0.0", `echo ${name} 1.0.0`);
  }
  return pins;
}

function policy(name: string): string {
  return `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: ${name}}
spec:
  validationFailureAction: Enforce
  rules:
    - name: label
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {message: "Pods carry a label.", pattern: {metadata: {labels: {team: "?*"}}}}
`;
}
