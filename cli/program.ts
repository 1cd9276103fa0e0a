// The command line: verbs, options, help. What a verb does is loaded only when it runs, so that help is instant.
import { Command, CommanderError } from "commander";
import { addDiff } from "./diffVerb";
import { findPlace, type Place } from "./place";
import { addPromote } from "./promoteVerb";
import { addRender } from "./renderVerb";
import { addRepositoryPush } from "./repositoryVerb";
import { exitCodes, fail } from "./screen";
import { type CommonOptions, exitCodeHelp, verbsOf } from "./verb";

/** The command with all its verbs; `done` receives the exit code of the one that ran. */
export function policyPlatform(done: (code: number) => void): Command {
  const program = new Command("policy-platform")
    .description(
      "Look after the configuration and the releases of a policy platform.\nData goes to stdout, narration to stderr.",
    )
    .helpCommand(false)
    .addHelpText("after", exitCodeHelp);

  const verb = verbsOf(program);
  const run = async (options: CommonOptions, work: (place: Place) => Promise<number>) => {
    try {
      done(await work(findPlace(options)));
    } catch (error) {
      done(fail(options.output, error));
    }
  };

  verb(
    "check",
    "all errors of a stack's configuration, offline",
    "Finds everything that is wrong with a stack's configuration and its policy folders, at once and without\na network. Each error comes with the line that mends it. Digests of layer images that `pin` can still fill in are\nnamed too, and are no errors.",
    ["policy-platform check --stack dev", "policy-platform check --stack dev -o json | jq -r '.problems[].fix'"],
  ).action((options: CommonOptions) =>
    run(options, async (place) => (await import("./check")).check(place, options.output)),
  );

  verb(
    "pin <name> [version]",
    "look up checksums and digests, and write them into the stack's file",
    "Fills in what pins one entry: for a tool's release its download's checksum and the digest of the layer image\nit becomes, for an image the digest of its tag. With a version, moves the entry to it. NAME is a tool, a policy\nrepository or base; tools.NAME and policies.NAME where both have one of that name. An image that is pinned by its\ndigest alone, as the local stack pins what it built, has no tag to look up: the error says how to take the tool\nfrom its release. The file's comments and order stay; it is written whole or not at all. A first checksum is that\nof what was downloaded: compare it with the one that the tool's makers publish. Then it says which version the next\nrelease gets with the new pin, and why.",
    [
      "policy-platform pin kyverno 1.13.2 --stack dev",
      "policy-platform pin kyverno --latest --stack dev",
      "policy-platform pin base --stack dev",
      "policy-platform pin policies.security-policy v2.1.0 --stack dev",
      "policy-platform pin team-policy main --stack dev    # a git repository: commit and digest",
    ],
  )
    .option("--latest", "move the entry to its newest release, or to the highest version among its image's tags")
    .action((name: string, version: string | undefined, options: CommonOptions & { readonly latest?: boolean }) =>
      run(options, async (place) => {
        const { pin } = await import("./pin");
        return pin(place, { name, version, latest: options.latest }, options.output);
      }),
    );

  verb(
    "version",
    "the last release, the next version, and why",
    "Reads the registry and says which version a release would get now: the last one, the step that the changes\nsince then require, and each change. Writes nothing. With --next it prints the next version alone.",
    ["policy-platform version --stack dev", "next=$(policy-platform version --next --stack dev)"],
  )
    .option("--next", "print the next version and nothing else")
    .action((options: CommonOptions & { readonly next?: boolean }) =>
      run(options, async (place) => (await import("./version")).version(place, options, options.output)),
    );

  verb(
    "gate [reference]",
    "hold an image to every check of a release",
    "Runs the gate of a release: each tool's version, the repositories, every policy and its tests, charts, size and\nintegration cases, in the very image, without a network. REFERENCE is a digest or a tag, or a tag of the stack's\nreleases; default: the image that was built of the present stack file and folders. What passed is not run again\nwhile everything that can change a verdict is equal. Needs a Docker engine when something must run.",
    [
      "policy-platform gate --stack dev",
      "policy-platform gate v1.4.2 --stack prod",
      "policy-platform gate ghcr.io/org/candidates/policy-platform@sha256:… --again -o json --stack dev",
    ],
  )
    .option("--again", "run everything although an equal run passed")
    .action((reference: string | undefined, options: CommonOptions & { again?: boolean }) =>
      run(options, async (place) => (await import("./gate")).gate(place, reference, options, options.output)),
    );

  verb(
    "repair",
    "bring a stack back after a killed run",
    "Ends language hosts and plugins that a killed engine left in this project, releases the stack's lock if its\nprocess is gone, and clears pending creates. Then `pulumi up` works again. Harmless when nothing is wrong.",
    ["policy-platform repair --stack local && pulumi up --stack local"],
  ).action((options: CommonOptions) =>
    run(options, async (place) => (await import("./repair")).repairStack(place, options.output)),
  );

  addPromote(program, { done });
  addRender(program, verb, { done });
  addDiff(program, verb, { done });
  addRepositoryPush(program, { done });

  for (const command of allCommands(program)) {
    command.exitOverride().configureHelp({ helpWidth: 118 });
    command.showHelpAfterError(`${nameOf(command)} --help says what it takes`);
  }
  return program;
}

/** What is typed to run a command: its own name after those above it. */
function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

/** A command, those below it, and so on. */
export function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** Runs one command line and returns its exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  try {
    await policyPlatform((result) => {
      code = result;
    }).parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.invalid;
  }
}
