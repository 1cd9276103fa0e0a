// The CI files that application teams commit, by the host that runs them.
import { bitbucketPipelines } from "./bitbucket";
import { type ConsumerRequest, checksOf } from "./checks";
import { githubWorkflow } from "./github";
import { wrong } from "./shell";

/** CI hosts that a file can be made for. */
export const Consumer = { github: "github", bitbucket: "bitbucket" } as const;
export type Consumer = (typeof Consumer)[keyof typeof Consumer];

/** The whole text of the file. Error: `ci-option`. */
export function renderConsumerCi(consumer: Consumer, request: ConsumerRequest): string {
  const checks = checksOf(consumer, request);
  if (consumer === "github") return githubWorkflow(checks);
  if (checks.registryLogin === "github")
    throw wrong("--registry-login", "github", "Bitbucket has no token of GitHub's; it logs in with password");
  return bitbucketPipelines(checks);
}
