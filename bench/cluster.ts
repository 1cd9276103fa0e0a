// The local cluster in a checkout of its own: ready from an empty store, ready again from what it held, and what it takes.
import { clusterOf, components } from "../local/controlPlane/cluster";
import { runningComponents } from "../local/controlPlane/running";
import { createClusterCheckout, freeClusterPorts, memoryOf } from "../test/support/clusterCheckout";
import { expectSuccess } from "../test/support/project";
import { type Figure, median, seconds, timed } from "./figure";

const rounds = 3;
const allowedSeconds = 20;
const allowedMegabytes = 700;

export async function measure(): Promise<Figure[]> {
  const checkout = createClusterCheckout();
  try {
    const cluster = clusterOf(checkout.layout, "dev", await freeClusterPorts());
    const start = () => expectSuccess(checkout.start("--cluster-port", `${cluster.ports.api}`));
    const empty = await timed(start);
    const running = await timed(start);
    const warm: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await expectSuccess(checkout.command("down"));
      warm.push(await timed(start));
    }
    const megabytes = memoryOf(runningComponents(cluster).map(({ identity }) => identity.pid)) / 1e6;
    return [
      {
        what: `${components.length} programs of the local cluster, stopped before, until all are ready`,
        goal: `≤ ${allowedSeconds} s`,
        measured: `${seconds(warm)}, ${rounds} rounds; ${seconds([empty])} from an empty store, ${seconds([running])} when all of them run`,
        met: median(warm) <= allowedSeconds,
      },
      {
        what: "memory of the local cluster, all programs",
        goal: `≤ ${allowedMegabytes} MB`,
        measured: `${Math.round(megabytes)} MB`,
        met: megabytes <= allowedMegabytes,
      },
    ];
  } finally {
    await checkout.remove();
  }
}
