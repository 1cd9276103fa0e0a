// What a command costs that changes nothing: `pulumi preview` and `pulumi up` of a released stack, against an empty program
// that starts the same plugins, taken in turns.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { createProject, expectSuccess, type Project } from "../test/support/project";
import { startRegistry } from "../test/support/registry";
import { startCountingProxy } from "./countingProxy";
import { createEmptyProject } from "./emptyProject";
import { type Figure, median, seconds } from "./figure";
import { type Cost, inTurns, rounds } from "./turns";

const allowedSeconds = 0.5;

const commands: readonly (readonly string[])[] = [
  ["preview"],
  ["up", "--yes"],
  ["up", "--yes", "--skip-preview"], // as `npm run local` does it
];

export async function measure(): Promise<Figure[]> {
  const registry = await startRegistry({ onDisk: true });
  const proxy = await startCountingProxy(registry.host);
  const project = await createProject(proxy.host);
  const empty = await createEmptyProject(project.env);
  try {
    await releaseTwice(project);
    const { digest } = (await project.outputs()).image;
    const figures: Figure[] = [];
    for (const command of commands) {
      proxy.take();
      const [ours, theirs] = await inTurns([
        () => expectSuccess(project.pulumi(...command, "--expect-no-changes")),
        () => empty.pulumi(...command),
      ]);
      const { requests, writes } = proxy.take();
      const what = `pulumi ${command.join(" ")}, nothing to do, over an empty program with the same plugins`;
      figures.push(overEmpty({ what, allowedSeconds, ours, theirs }), {
        what: `requests of pulumi ${command.join(" ")} to the registry`,
        goal: "0 that write",
        measured: `${writes.length} that write, ${requests.length / (rounds + 1)} that read`,
        met: writes.length === 0,
      });
    }
    const after = (await project.outputs()).image.digest;
    figures.push({ what: "digest after all of them", goal: "the same", measured: after, met: after === digest });
    return figures;
  } finally {
    project.remove();
    empty.remove();
    await proxy.stop();
    await registry.stop();
  }
}

/** A stack in use: its last release was an edit, so the program also compares two releases. */
async function releaseTwice(project: Project): Promise<void> {
  await project.up();
  appendFileSync(join(project.dir, "policies/security-policy/policies/disallow-latest-tag.yaml"), "# reviewed\n");
  await project.commit("Review");
  await project.up();
}

/** What `ours` costs beyond `theirs`, round by round. */
export function overEmpty({
  what,
  allowedSeconds,
  ours,
  theirs,
}: {
  what: string;
  allowedSeconds: number;
  ours: Cost[];
  theirs: Cost[];
}): Figure {
  const difference = (of: keyof Cost) => ours.map((cost, round) => cost[of] - theirs[round]![of]);
  return {
    what,
    goal: `≤ +${allowedSeconds} s`,
    measured: [
      `${seconds(difference("wall"), "+")}, ${rounds} rounds`,
      `${seconds(ours.map(({ wall }) => wall))} against ${seconds(theirs.map(({ wall }) => wall))}`,
      `processor time ${seconds(difference("processor"), "+")}`,
    ].join("; "),
    met: median(difference("wall")) <= allowedSeconds,
  };
}
