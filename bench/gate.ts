// The gate beside what its users type instead: a `docker run` for each check, one after the other.
import { exec } from "../lib/exec";
import { expectSuccess } from "../test/support/project";
import { type Figure, median, seconds, timed } from "./figure";
import { type GateStand, releasedStand } from "./gateStand";

const rounds = 5;
const allowedRatio = 0.5;

const production = {
  chart: "backend-applications/charts/app",
  values: ["backend-applications/cd/production/values.yaml"],
  environment: "production",
  policies: ["security-policy", "devops-policy"],
  expect: "pass",
  kubernetes: "1.31",
  spectral: { ruleset: "backend-applications/.spectral.yaml" },
};

export async function measure(): Promise<Figure[]> {
  const stand = await releasedStand((config) => {
    config["policy-platform:gate"] = { integration: { "shop-production": production } };
    config["policy-platform:artifacts"] = { environments: ["production"] };
  });
  try {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      theirs.push(await timed(() => typed(stand)));
      ours.push(await timed(stand.gate));
    }
    const ratio = median(ours.map((own, round) => own / theirs[round]!));
    return [
      {
        what: "the gate's smoke and integration checks, beside a docker run for each of them",
        goal: `≤ ${allowedRatio} ×`,
        measured: `${ratio.toFixed(2)} × (${seconds(ours)} beside ${seconds(theirs)}), ${rounds} pairs`,
        met: ratio <= allowedRatio,
      },
      await again(stand),
    ];
  } finally {
    await stand.stop();
  }
}

/** The smoke and integration lines that users tested their image with, on this image. */
async function typed({ dockerRun }: GateStand): Promise<void> {
  for (const tool of ["kyverno", "pluto", "helm"]) await dockerRun(tool, "version");
  for (const tool of ["yq", "spectral"]) await dockerRun(tool, "--version");
  await dockerRun("ls", "-R", "/repos/");
  const [values] = production.values;
  const template = `helm template app /repos/${production.chart} -f /repos/${values}`;
  const shell = (line: string) => dockerRun("bash", "-e", "-o", "pipefail", "-c", line);
  await shell(`${template} | kyverno apply /repos/security-policy/ --resource -`);
  const charts = ["workload-standards", "release-hygiene"].map(
    (chart) =>
      `helm template ${chart} /repos/devops-policy/charts/${chart} -f /repos/devops-policy/cd/production/values.yaml >> /tmp/policies.yaml`,
  );
  await shell([...charts, `${template} | kyverno apply /tmp/policies.yaml --resource -`].join("\n"));
  await shell(`${template} | pluto detect - --target-versions k8s=v1.31.0`);
  const files = [`/repos/${production.chart}/values.yaml`, `/repos/${values}`];
  await dockerRun("spectral", "lint", ...files, "--ruleset", `/repos/${production.spectral.ruleset}`);
}

/** Containers that the engine makes while the same inputs come again: by the program, and by the gate itself. */
async function again({ project, recall }: GateStand): Promise<Figure> {
  await recall(); // an equal run: with this stand's own inputs the gate has passed before
  const since = Date.now();
  await project.up();
  const { known } = await recall();
  const span = ["--since", String(since / 1000), "--until", String(Date.now() / 1000)];
  const filters = ["--filter", "type=container", "--filter", "event=create", "--format", "{{.ID}}"];
  const { stdout } = await expectSuccess(exec("docker", ["events", ...span, ...filters], { env: { ...project.env } }));
  const made = stdout.split("\n").filter((line) => line !== "").length;
  return {
    what: "containers started for inputs that passed before: pulumi up, and the gate itself",
    goal: "0",
    measured: String(made),
    met: made === 0 && known,
  };
}
