// docs/comparison.md: the measured rows as a table, the goals, and what was compared.
import { figures } from "./figures";
import { type Comparison, type Row, type Run, size, time, titles } from "./results";

const head = ["", "", "Uploaded", "of it tools", "Downloaded", "Time", "Image, stored", "unpacked"];

/** The whole page; the plot lies beside it. */
export function page(comparison: Comparison): string {
  const { measured, machine, rows } = comparison;
  const goals = figures(comparison).map(({ what, goal, measured: value, met }) => [
    what,
    goal,
    met ? value : `**missed**: ${value}`,
  ]);
  return `<!-- Made by \`npm run bench compare\` of bench/results/comparison.json; \`npm run generate\` draws it again. -->

# Beside a Dockerfile and docker push

What a release of the platform image costs by the script that people use today, and by \`pulumi up\`: both in one run, on the same
policies, tools, base and packages. Measured on ${measured}: ${machine}.

\`\`\`bash
npm run local && npm run bench compare   # all of it, in about a quarter of an hour; bench compare:policy measures one row
\`\`\`

![Bars of bytes uploaded, bytes downloaded and seconds for each scenario](comparison.svg)

${table(head, rows.flatMap(cells))}

${table(["Held to", "Goal", "Measured"], goals)}

## What is compared

**The script**: \`docker build\` and \`docker push\` of an image for each policy repository that changed; a multi-stage Dockerfile, \`FROM\` each of
them and the base, with one \`RUN\` that installs bash and curl, one \`RUN\` for each tool (kyverno, pluto and helm \`curl … | tar -xz\`, yq
and spectral, which are plain files, \`curl -o\` and \`chmod\`), and \`COPY --from\` of each repository; \`docker run\` of three \`version\` lines, of \`ls -R /repos/\` and of \`helm template … | kyverno apply\`; \`docker tag\` and
\`docker push\` of \`vX.Y.Z\`, \`sha-…\` and \`latest\`. The lines are in \`bench/compare/byScript.ts\`.

**\`pulumi up\`**: \`up --yes --skip-preview\`, as CI does it, on the same pins in a stack file, with that \`helm template … | kyverno apply\` as the only integration case. Beside it the gate makes
checks that the script has no lines for: the pinned version of all five tools, and that each policy file applies rules alone. The repositories' own policy tests,
which it would run too, are taken out of the checkout: the script runs none.

**Nothing is cached.** Each release runs on a Docker engine that was started for it with an empty data folder; of \`pulumi up\`, the user's cache folder and all
that was kept in the checkout are empty, too. What is there before: the registry, the tools' releases on a file server, the checkout, the stack's
state, and on either side the programs. Starting the engine is not counted.

**Bytes** are bodies of requests and answers, counted by one proxy in front of registry and file server. Packages of the distribution come past it and are
not counted: the script installs them at every release, \`pulumi up\` only when base or packages change. The base is Debian, as its packages can be had here,
and helm and yq are downloads, as Debian has no such packages. The raised tool is a helm whose version is one patch higher in an otherwise equal binary.

**How to read it.** Registry and releases are on the same machine: a byte costs next to no time here, on a network it does. The script moves the whole
image at every release, because its layers never come out the same twice; ours are the same bytes whenever their content is, so only what changed goes up. For
that, ours first puts each tool into the registry as a layer of its own, uncompressed: the release that brings a tool uploads it twice, and on an
empty engine a release with another base or tool downloads all of them from the registry. One with the same ones starts from the last release, and downloads
that. The times hold one sample of each side and scenario; the gate makes up most of ours.
`;
}

function cells({ scenario, script, pulumi }: Row): string[][] {
  const side = (name: string, first: string, { up, down, seconds, compressed, unpacked, blobs }: Run) => [
    first,
    name,
    `${size(up)} in ${blobs.uploaded} blobs`,
    `${size(blobs.toolBytes)} in ${blobs.tools}`,
    size(down),
    time(seconds),
    size(compressed),
    size(unpacked),
  ];
  return [side("script", `**${titles[scenario]}**`, script), side("`pulumi up`", "", pulumi)];
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;
  return [line(columns), line(columns.map(() => "---")), ...rows.map(line)].join("\n");
}
