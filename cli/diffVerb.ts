// The verb `diff image artifact` on the command line. It loads nothing of what it does.
import type { Command } from "commander";
import { findPlace } from "./place";
import { fail } from "./screen";
import type { AddVerb, CommonOptions } from "./verb";

export function addDiff(program: Command, verb: AddVerb, { done }: { readonly done: (code: number) => void }): void {
  const diff = program
    .command("diff")
    .description("Compare what a release is made of.")
    .summary("compare parts of a release");
  const image = diff
    .command("image")
    .description("Compare an image with what is made of it.")
    .summary("an image with what is made of it");
  verb(
    "artifact [release]",
    "whether clusters get the policies of an image",
    "Holds the policies of a released image against those of its artifacts, environment by environment: kind, name,\nrules and spec. Reads the registry alone, without Docker. RELEASE is a tag or a digest among the stack's releases,\nor an image by its full name; default: the highest version. What charts rendered cannot be made again without\nhelm: of it is said what the artifact was rendered from, and what the gate recorded in the stack's state.\nExit code 1 when a policy is only in one of both, or is another one.",
    [
      "policy-platform diff image artifact --stack dev",
      "policy-platform diff image artifact v1.4.2 --stack prod -o json | jq '.environments[].differences'",
    ],
    image,
  ).action(async (release: string | undefined, options: CommonOptions) => {
    try {
      const { diffArtifact } = await import("./diffArtifact");
      done(await diffArtifact(findPlace(options), release, options.output));
    } catch (error) {
      done(fail(options.output, error));
    }
  });
}
