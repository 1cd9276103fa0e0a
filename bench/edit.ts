// One policy edited, on an engine that has never built anything: what is uploaded, and how long until the release is tagged.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { folderLayerImage } from "../lib/oci/layer";
import { startDockerEngine } from "../test/support/dockerEngine";
import { createProject, expectSuccess } from "../test/support/project";
import { startRegistry } from "../test/support/registry";
import { startCountingProxy } from "./countingProxy";
import { bytes, type Figure, median, seconds, timed } from "./figure";

const rounds = 3;
const allowedSeconds = 15;
const allowedOverhead = 64 * 1024;
const repository = "policies/security-policy";

export async function measure(): Promise<Figure[]> {
  const registry = await startRegistry();
  const proxy = await startCountingProxy(registry.host);
  const project = await createProject(proxy.host);
  const times: number[] = [];
  const uploads: number[] = [];
  try {
    await project.up();
    for (let round = 1; round <= rounds; round++) {
      const engine = await startDockerEngine({ own: true });
      try {
        proxy.take();
        const edit = `# reviewed ${round} times\n`;
        appendFileSync(join(project.dir, repository, "policies/disallow-latest-tag.yaml"), edit);
        const { pulumi } = project.with({ DOCKER_HOST: engine.host });
        times.push(await timed(() => expectSuccess(pulumi("up", "--yes"))));
        uploads.push(proxy.take().uploaded);
      } finally {
        await engine.stop();
      }
      const { version } = await project.outputs();
      if (version !== `v1.0.${round}`) throw new Error(`round ${round} released ${version}`);
    }
    const { layer } = await folderLayerImage(join(project.dir, repository), { at: "/repos/security-policy" });
    const allowed = allowedOverhead + layer.size;
    const most = Math.max(...uploads);
    return [
      {
        what: "one policy edited, engine without any cache: uploaded",
        goal: `≤ ${bytes(allowed)} (64 KiB + the repository's tar)`,
        measured: `${bytes(median(uploads))} (at most ${bytes(most)}), ${rounds} rounds`,
        met: most <= allowed,
      },
      {
        what: "one policy edited, engine without any cache: pulumi up --yes until the release is tagged",
        goal: `≤ ${allowedSeconds} s`,
        measured: `${seconds(times)}, ${rounds} rounds`,
        met: median(times) <= allowedSeconds,
      },
    ];
  } finally {
    project.remove();
    await proxy.stop();
    await registry.stop();
  }
}
