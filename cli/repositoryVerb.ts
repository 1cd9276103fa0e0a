// The verb `repository push` on the command line: its options and their help. It loads nothing of what it does, and needs no
// project: a policy team runs it in its own repository.
import { type Command, Option } from "commander";
import type { RepositoryPushOptions } from "./repositoryPush";
import { fail, type Output } from "./screen";

export function addRepositoryPush(program: Command, { done }: { readonly done: (code: number) => void }): void {
  program
    .command("repository")
    .description("What a policy team does with its own repository.")
    .summary("for policy teams: publish a repository")
    .command("push <folder> <reference>")
    .summary("check, test and push a policy repository")
    .description(
      "Checks a folder of policies, runs its tests with the kyverno (and, for policies in charts, the helm) on PATH, pushes\nit as a layer image under the tag in REFERENCE, reads it back, and prints the pin for the stack file of whoever\ntakes it. No project and no Pulumi is needed; registry credentials are those of docker. Equal content is the same\nimage: a second push moves no byte. A tag that is there already is moved; a version in the tag that never moves is\nthe better habit. The name of the repository, which is its folder below /repos in the image, is the last level of\nREFERENCE, or --name.",
    )
    .option("--name <name>", "the repository's name in the image; default: the last level of REFERENCE")
    .option("--skip-tests", "push without running the tests; the answer says so")
    .option("--insecure", "speak http to this registry; loopback addresses always do")
    .addOption(new Option("-o, --output <format>", "what stdout is").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      `
Examples:
  policy-platform repository push . ghcr.io/org/security-policy:v1.4.0
  policy-platform repository push policies/team registry.example.com/policies/team:v2 -o json | jq -r .pin

Exit codes:
  0  done
  1  failed: the folder, a test or the registry said no
  2  the command line is not valid`,
    )
    .action(async (folder: string, reference: string, options: RepositoryPushOptions & { readonly output: Output }) => {
      try {
        const { repositoryPush } = await import("./repositoryPush");
        done(await repositoryPush(folder, reference, options, options.output));
      } catch (error) {
        done(fail(options.output, error));
      }
    });
}
