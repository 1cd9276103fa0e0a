// The verbs below `render` on the command line: their options and their help. They load nothing of what they do.
import { type Command, Option } from "commander";
import { findPlace } from "./place";
import type { RenderCiOptions } from "./renderCi";
import type { RenderFluxOptions } from "./renderFlux";
import { fail } from "./screen";
import type { AddVerb, CommonOptions } from "./verb";

const collect = (value: string, before: readonly string[] = []) => [...before, value];

type Done = { readonly done: (code: number) => void };

export function addRender(program: Command, verb: AddVerb, outcome: Done): void {
  const render = program.command("render").description("Print files that others commit.").summary("files for others");
  addRenderCi(render, verb, outcome);
  addRenderFlux(render, verb, outcome);
}

function addRenderFlux(render: Command, verb: AddVerb, { done }: Done): void {
  verb(
    "flux",
    "the Flux objects by which clusters get the policies",
    "Prints the objects by which the stack's clusters get its last release, as YAML: where Flux pulls the artifact from, by\ndigest, how it applies it, and the patches by which a cluster audits or enforces. With --to they are written as\nfiles: what is equal is not touched, and what somebody else wrote is not replaced. No secret is ever written.",
    [
      "policy-platform render flux --stack prod --cluster europe | kubectl apply -f -",
      "policy-platform render flux --stack prod --to ../fleet/clusters",
    ],
    render,
  )
    .option("--cluster <name>", "this cluster of the stack alone; default: all")
    .option("--to <folder>", "write files: of one cluster into this folder, of all into a folder each below it")
    .action(async (options: CommonOptions & RenderFluxOptions) => {
      try {
        const { renderFlux } = await import("./renderFlux");
        done(await renderFlux(findPlace(options), options, options.output));
      } catch (error) {
        done(fail(options.output, error));
      }
    });
}

function addRenderCi(render: Command, verb: AddVerb, { done }: Done): void {
  verb(
    "ci",
    "the CI file with which an application team checks its chart",
    "Prints the file that an application team commits so that its CI checks a chart with the released image: helm\ntemplate, kyverno apply, pluto detect, spectral lint. The image is the stack's last release, by digest, with the\nversion in a comment; with --image no project is needed, and with a digest in it no network. Paths are those of\nthe application's repository.",
    [
      "policy-platform render ci --consumer github --chart charts/app --policies security-policy --stack prod",
      "policy-platform render ci --consumer bitbucket --chart charts/app --values cd/prod/values.yaml \\\n    --policies security-policy --kubernetes 1.31 --image ghcr.io/org/policy-platform:v1.4.2",
    ],
    render,
  )
    .addOption(new Option("--consumer <host>", "CI host").choices(["github", "bitbucket"]).makeOptionMandatory())
    .requiredOption("--chart <folder>", "the chart's folder")
    .option("--values <file>", "a values file for the chart; again for more, in order", collect)
    .requiredOption(
      "--policies <name>",
      "a policy repository of the image or a path in one, NAME/charts/CHART for a chart of policies; again for more",
      collect,
    )
    .option("--environment <name>", "values for charts of policies: the repository's cd/<name>/values.yaml")
    .option("--kubernetes <version>", "the cluster's version, such as 1.31; default: what helm and pluto assume")
    .option("--ruleset <file>", "spectral's rules, /repos/… for one in the image", ".spectral.yaml")
    .option("--image <reference>", "this image in place of the last release; a tag is resolved to its digest")
    .addOption(
      new Option(
        "--registry-login <kind>",
        "how CI may pull: a password in two secrets, GitHub's own token for ghcr.io, or none",
      ).choices(["password", "github", "none"]),
    )
    .action(async (options: CommonOptions & RenderCiOptions) => {
      try {
        const { renderCi } = await import("./renderCi");
        done(await renderCi(options, () => findPlace(options), options.output));
      } catch (error) {
        done(fail(options.output, error));
      }
    });
}
