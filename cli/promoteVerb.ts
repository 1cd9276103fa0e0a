// The verb `promote` on the command line: its options and their help. It loads nothing of what it does.
import { type Command, Option } from "commander";
import { findPlace } from "./place";
import type { PromoteOptions } from "./promote";
import { fail, type Output } from "./screen";

export function addPromote(program: Command, { done }: { readonly done: (code: number) => void }): void {
  program
    .command("promote <from> <to>")
    .summary("write a release of one stack into the file of another one")
    .description(
      "Finds a release of stack FROM in its registry, says what it changes against what stack TO has, and writes it\ninto TO's file under `promotion`: repository, version, digest and commit. FROM may promote itself. Nothing is copied:\n`pulumi up --stack TO` does that, once the change to the file was reviewed. A key `promotion.stack` that\nstands there names FROM afterwards. The file's comments and order stay; it is written whole or not at all, and not\nwhere the promotion would be refused.",
    )
    .option("--version <version>", "this release of FROM; default: the highest one that is there")
    .option("--commit <commit>", "the commit that it was released from, where several tags sha-… name one image")
    .option("--rollback", "allow a version below the highest one that TO has")
    .option("-C, --cwd <folder>", "the project's folder or one below; default: this one")
    .addOption(new Option("-o, --output <format>", "what stdout is").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      `
Examples:
  policy-platform promote dev prod
  policy-platform promote dev prod --version v1.3.0 --rollback
  policy-platform promote staging prod -o json | jq -r '.notes[]'

Exit codes:
  0  done, or said already
  1  failed: a registry or the rules of promotion said no
  2  the configuration or the command line is not valid`,
    )
    .action(
      async (
        from: string,
        to: string,
        options: PromoteOptions & { readonly cwd?: string; readonly output: Output },
      ) => {
        try {
          const [source, target] = [from, to].map((stack) => findPlace({ ...options, stack }));
          const { promote } = await import("./promote");
          done(await promote(source!, target!, options, options.output));
        } catch (error) {
          done(fail(options.output, error));
        }
      },
    );
}
