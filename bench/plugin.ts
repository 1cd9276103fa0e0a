// A plugin's start until it prints its port, and its end when the engine has no more work: both are paid at every command.
import { type Figure, median, seconds, timed } from "./figure";
import { PluginSession, pluginPrograms } from "./pluginSession";

const rounds = 9;
const allowedStart = 0.2;
const allowedEnd = 0.1;

export async function measure(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [name, program] of Object.entries(pluginPrograms)) {
    const starts: number[] = [];
    const ends: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const { start, end } = await startAndCancel(program);
      if (round === 0) continue; // warms the file cache
      starts.push(start);
      ends.push(end);
    }
    figures.push(
      {
        what: `plugin ${name}: start until its port`,
        goal: `≤ ${allowedStart} s`,
        measured: `${seconds(starts)}, ${rounds} rounds`,
        met: median(starts) <= allowedStart,
      },
      {
        what: `plugin ${name}: idle, from Cancel until it is gone`,
        goal: `≤ ${allowedEnd} s`,
        measured: `${seconds(ends)}, ${rounds} rounds`,
        met: median(ends) <= allowedEnd,
      },
    );
  }
  return figures;
}

async function startAndCancel(program: string): Promise<{ start: number; end: number }> {
  let session: PluginSession | undefined;
  const start = await timed(async () => {
    session = await PluginSession.start(program);
  });
  await session!.ready();
  return { start, end: await timed(() => session!.cancel()) };
}
