// A workflow of GitHub Actions: the checkout by the host, everything else in a container of the image that can do nothing but read.
import type { Checks } from "./checks";
import { appliedNothing, appliedPattern, document } from "./document";

/** The commit of v5.0.0: a tag could be moved. */
const checkout = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8";

/** No network, no capability, nothing to write to but /tmp; `--interactive` hands on the rendered chart. */
const container = [
  ...["docker run --rm --interactive --network none --read-only --tmpfs /tmp --cap-drop ALL"],
  ...['  --security-opt no-new-privileges --volume "$PWD:/workspace:ro" --workdir /workspace "$IMAGE"'],
];

/** The file for `.github/workflows/`. */
export function githubWorkflow(checks: Checks): string {
  const always = expression("!cancelled() && steps.template.outcome == 'success'");
  const content = {
    name: "policy check",
    on: { pull_request: {}, workflow_dispatch: {} },
    permissions: { contents: "read", ...(checks.registryLogin === "github" ? { packages: "read" } : {}) },
    jobs: {
      "policy-check": {
        "runs-on": "ubuntu-latest",
        "timeout-minutes": 15,
        defaults: { run: { shell: "bash" } },
        env: { IMAGE: checks.image },
        steps: [
          { uses: checkout, with: { "persist-credentials": false } },
          ...login(checks),
          { name: "Pull the image", run: 'docker pull --quiet "$IMAGE"' },
          { name: "helm template", id: "template", run: run(checks.template, '> "$RUNNER_TEMP/rendered.yaml"') },
          ...checks.kyverno.map(({ name, command }) => ({
            name,
            if: always,
            run: lines(
              run(command, '< "$RUNNER_TEMP/rendered.yaml" | tee "$RUNNER_TEMP/kyverno.txt"'),
              `grep -Eq '${appliedPattern}' "$RUNNER_TEMP/kyverno.txt" || { echo "::error::${appliedNothing}"; exit 1; }`,
            ),
          })),
          { name: "pluto detect", if: always, run: run(checks.pluto, '< "$RUNNER_TEMP/rendered.yaml"') },
          { name: "spectral lint", if: always, run: run(checks.spectral) },
        ],
      },
    },
  };
  return document(content, checks, {
    file: ".github/workflows/policy-check.yml",
    notes: notes(checks),
    comments: [
      { at: ["jobs", "policy-check", "env", "IMAGE"], text: checks.version },
      { at: ["jobs", "policy-check", "steps", 0, "uses"], text: "v5.0.0" },
    ],
  });
}

function run(command: string, redirected = ""): string {
  return [...container, `  ${command}${redirected === "" ? "" : ` ${redirected}`}`].join(" \\\n");
}

function lines(...parts: readonly string[]): string {
  return `${parts.join("\n")}\n`;
}

/** What GitHub fills in. */
function expression(text: string): string {
  return `\${{ ${text} }}`;
}

function login({ registry, registryLogin }: Checks): unknown[] {
  if (registryLogin === "none") return [];
  const env =
    registryLogin === "github"
      ? { USERNAME: expression("github.actor"), PASSWORD: expression("github.token") }
      : {
          USERNAME: expression("secrets.POLICY_PLATFORM_REGISTRY_USERNAME"),
          PASSWORD: expression("secrets.POLICY_PLATFORM_REGISTRY_PASSWORD"),
        };
  const run = `printf '%s' "$PASSWORD" | docker login --username "$USERNAME" --password-stdin ${registry}`;
  return [{ name: "Log in to the registry", env, run }];
}

function notes({ registryLogin }: Checks): string[] {
  if (registryLogin !== "password") return [];
  return [
    "Needs the secrets POLICY_PLATFORM_REGISTRY_USERNAME and POLICY_PLATFORM_REGISTRY_PASSWORD: an account that may only pull.",
  ];
}
