// A released image of a project of its own, and the gate on it as the program runs it: what the gate's figures are measured on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectCache } from "../lib/cache";
import { exec } from "../lib/exec";
import { type GatedImage, gateImage } from "../lib/gate/image";
import type { GateInputs } from "../lib/gate/inputs";
import { RegistryClient } from "../lib/oci/client";
import { parseRepository } from "../lib/oci/reference";
import { mapRecord } from "../lib/record";
import { createProject, expectSuccess, type Project, wholePins } from "../test/support/project";
import { startRegistry } from "../test/support/registry";

type Configuration = Parameters<Parameters<Project["configure"]>[0]>[0];

export interface GateStand {
  readonly project: Project;
  /** `host/path@sha256:…` */
  readonly image: string;
  /** Runs every check but the policies' own tests; what Kyverno said of policy files before is known by their content. */
  gate(): Promise<GatedImage>;
  /** The same after an equal run has passed. */
  recall(): Promise<GatedImage>;
  /** `docker run --rm --network none IMAGE ARGS`, as the users' own scripts do; fails the measurement when it is red. */
  dockerRun(...args: string[]): Promise<unknown>;
  stop(): Promise<void>;
}

/** Releases what `configure` makes of five tools and three repositories. */
export async function releasedStand(configure: (config: Configuration, dir: string) => void): Promise<GateStand> {
  const registry = await startRegistry({ onDisk: true });
  const project = await createProject(registry.host, { timeout: 1_800_000 });
  project.configure((config) => {
    Object.assign(config, wholePins());
    configure(config, project.dir);
  });
  await project.up();
  const { image } = await project.outputs();
  const { release, ...inputs } = await gateInputs(project);
  // The users' scripts run no policy tests either.
  const repositories = mapRecord(inputs.repositories, ({ tests: _tests, ...repository }) => repository);
  const surroundings = {
    client: new RegistryClient(),
    home: async () => parseRepository(release),
    stack: "local",
    own: true,
  };
  const folders: string[] = [];
  /** In a folder without a result, everything is looked at. */
  const look = async (projectDir: string) => {
    const result = await gateImage({ ...inputs, repositories }, { ...surroundings, projectDir });
    if (!result.passed) throw new Error(JSON.stringify(result.checks.filter(({ status }) => status === "failed")));
    return result;
  };
  const newFolder = () => {
    folders.push(mkdtempSync(join(tmpdir(), "gate-")));
    return folders.at(-1)!;
  };
  return {
    project,
    image: image.reference,
    gate: () => look(newFolder()),
    recall: () => look(folders.at(-1) ?? newFolder()),
    dockerRun: (...args) =>
      expectSuccess(
        exec("docker", ["run", "--rm", "--network", "none", image.reference, ...args], {
          env: { ...project.env },
          timeout: 1_800_000,
        }),
      ),
    stop: async () => {
      project.remove();
      for (const folder of folders.flatMap((one) => [one, projectCache(one)]))
        rmSync(folder, { recursive: true, force: true });
      await registry.stop();
    },
  };
}

/** What the program itself gave the gate, from the stack's state. */
async function gateInputs(project: Project): Promise<GateInputs & { readonly release: string }> {
  const { stdout } = await expectSuccess(project.pulumi("stack", "export"));
  const { resources } = JSON.parse(stdout).deployment as {
    resources: { type: string; inputs: GateInputs & { readonly release: string } }[];
  };
  return resources.find(({ type }) => type === "policychain:index:GateRun")!.inputs;
}
