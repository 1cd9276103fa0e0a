// The gate's container while programs use it up, on an engine that is played here: a real one is too quick to be caught.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import type { DockerEngine } from "../../../lib/docker/engine";
import type { ContainerExecResult } from "../../../lib/docker/exec";
import { GateContainer } from "../../../lib/gate/container";
import { settled } from "../../../lib/gate/settled";

const limits = { timeoutSeconds: 1, memoryBytes: 2 ** 29, outputBytes: 1000 };
const good: ContainerExecResult = { code: 0, stdout: "", stderr: "", output: "", truncated: false, timedOut: false };

type Program = (name: string, gone: Promise<void>) => Promise<ContainerExecResult>;

/** Containers that take their time to start and to go; programs in one that is not up are refused, as by the real engine. */
class PlayedEngine {
  readonly live = new Map<string, { started: boolean; readonly gone: Promise<void>; readonly end: () => void }>();
  #made = 0;
  /** Starts that fail from then on. */
  broken = false;

  constructor(private readonly program: Program) {}

  async createContainer(): Promise<string> {
    await wait(10);
    const id = `container-${this.#made++}`;
    let end = () => {};
    const gone = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.live.set(id, { started: false, gone, end });
    return id;
  }

  async attach(): Promise<PassThrough> {
    await wait(5);
    return new PassThrough();
  }

  async start(id: string): Promise<void> {
    await wait(60);
    if (this.broken) throw new Error("the engine is lost");
    this.live.get(id)!.started = true;
  }

  async state(id: string): Promise<{ running: boolean } | undefined> {
    const container = this.live.get(id);
    return container && { running: container.started };
  }

  async remove(id: string): Promise<void> {
    await wait(5);
    this.live.get(id)?.end();
    this.live.delete(id);
    await wait(40);
  }

  async exec(id: string, [name = ""]: readonly string[]): Promise<ContainerExecResult> {
    const container = this.live.get(id);
    if (!container?.started) throw new Error(`409: container ${id} is not running`);
    return this.program(name, container.gone);
  }
}

async function containerOf(program: Program): Promise<{ engine: PlayedEngine; container: GateContainer }> {
  const engine = new PlayedEngine(program);
  const container = new GateContainer(engine as unknown as DockerEngine, "image", limits);
  assert.equal(await container.start(), undefined);
  return { engine, container };
}

describe("The gate's container (stand-in: a played engine)", () => {
  it("lets programs wait for the next container when one used up the last", async () => {
    const { engine, container } = await containerOf(async (name, gone) => {
      if (name === "hangs") return { ...good, code: undefined, timedOut: true };
      const killed = name === "long" && (await Promise.race([gone.then(() => true), wait(150, false)]));
      return { ...good, code: killed ? 137 : 0 };
    });
    const outcomes = await settled(["hangs", "long", "c", "d", "e"].map((name) => container.exec([name])));
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [undefined, 0, 0, 0, 0],
    );
    await container.remove();
    assert.equal(engine.live.size, 0);
  });

  it("starts no container behind the back of an engine that failed", async () => {
    const { engine, container } = await containerOf(async (name, gone) => {
      if (name === "fails") throw new Error("the engine is lost");
      await Promise.race([gone, wait(100)]);
      return good;
    });
    const programs = ["fails", "b", "c", "d"].map((name) => container.exec([name]));
    await assert.rejects(Promise.all(programs), /engine is lost/);
    await container.remove();
    await Promise.allSettled(programs);
    await wait(300);
    assert.equal(engine.live.size, 0);
  });

  it("leaves nothing of a container that does not start, and of one that is removed while it starts", async () => {
    const { engine, container } = await containerOf(async (name) =>
      name === "hangs" ? { ...good, code: undefined, timedOut: true } : good,
    );
    engine.broken = true;
    await container.exec(["hangs"]);
    await assert.rejects(container.exec(["b"]), /engine is lost/);
    assert.equal(engine.live.size, 0);
    engine.broken = false;
    const waiting = container.exec(["c"]);
    await wait(20);
    await container.remove();
    await assert.rejects(waiting, /the container of image is removed/);
    assert.equal(engine.live.size, 0);
  });
});
