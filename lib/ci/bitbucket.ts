// A pipeline of Bitbucket: its step runs inside the image, as root, since the checkout that Bitbucket puts there is root's.
import type { Checks } from "./checks";
import { appliedNothing, appliedPattern, document } from "./document";
import { shellWord } from "./shell";

const rendered = "/tmp/rendered.yaml";
const failed = "/tmp/failed";

/** The file `bitbucket-pipelines.yml`. */
export function bitbucketPipelines(checks: Checks): string {
  const isPrivate = checks.registryLogin === "password";
  const login = {
    username: "$POLICY_PLATFORM_REGISTRY_USERNAME",
    password: "$POLICY_PLATFORM_REGISTRY_PASSWORD",
  };
  const step = {
    name: "policy check",
    "max-time": 15,
    image: { name: checks.image, ...(isPrivate ? login : {}), "run-as-user": 0 },
    script: [
      "set -eo pipefail",
      `: > ${failed}`,
      `${checks.template} > ${rendered}`,
      ...checks.kyverno.flatMap(({ name, command }) => [
        noted(name, `${command} < ${rendered} | tee /tmp/kyverno.txt`),
        `grep -Eq '${appliedPattern}' /tmp/kyverno.txt || { echo '${appliedNothing}' | tee -a ${failed}; }`,
      ]),
      noted("pluto detect", `${checks.pluto} < ${rendered}`),
      noted("spectral lint", checks.spectral),
      `if [ -s ${failed} ]; then echo 'These failed, see above:'; cat ${failed}; exit 1; fi`,
    ],
  };
  return document({ pipelines: { "pull-requests": { "**": [{ step }] } } }, checks, {
    file: "bitbucket-pipelines.yml",
    notes: isPrivate
      ? [
          "Needs the secured variables POLICY_PLATFORM_REGISTRY_USERNAME and POLICY_PLATFORM_REGISTRY_PASSWORD: an account that may",
          "only pull.",
        ]
      : [],
    comments: [{ at: ["pipelines", "pull-requests", "**", 0, "step", "image", "name"], text: checks.version }],
  });
}

/** Goes on after a failure, so that one run shows all that is wrong; the last line fails the step. */
function noted(name: string, command: string): string {
  return `${command} || echo ${shellWord(name)} >> ${failed}`;
}
