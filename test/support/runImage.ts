// `docker run -i --rm --network none IMAGE ARGS`, as users type it; where the command is not there, the same through the engine.
import { DockerEngine } from "../../lib/docker/engine";
import { demultiplex, type ProgramOutput } from "../../lib/docker/exec";
import { type ExecResult, exec } from "../../lib/exec";

export interface RunImageOptions {
  /** Read as the program's whole standard input. Default: nothing. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the `docker` command where it is on PATH. */
  readonly by?: "command" | "engine";
}

export type ImageRun = Pick<ExecResult, "code" | "stdout" | "stderr">;

const patience = 120_000;
const memoryBytes = 1024 * 1024 * 1024;

/** True where the `docker` command is on PATH. */
export async function hasDockerCommand(): Promise<boolean> {
  return exec("docker", ["--version"]).then(
    ({ code }) => code === 0,
    () => false,
  );
}

/** Runs a program in an image that is pulled when the engine lacks it; resolves whatever its exit code is. */
export async function runImage(
  reference: string,
  args: readonly string[],
  options: RunImageOptions = {},
): Promise<ImageRun> {
  const by = options.by ?? ((await hasDockerCommand()) ? "command" : "engine");
  if (by === "engine") return runByEngine(reference, args, options);
  const { env, input } = options;
  return exec("docker", ["run", "-i", "--rm", "--network", "none", reference, ...args], {
    env,
    input,
    timeout: patience,
  });
}

async function runByEngine(
  reference: string,
  args: readonly string[],
  { input = "", env }: RunImageOptions,
): Promise<ImageRun> {
  const engine = DockerEngine.fromEnvironment({ ...process.env, ...env });
  const signal = AbortSignal.timeout(patience);
  if (!(await engine.inspectImage(reference, signal))) await engine.pull(reference, { signal });
  const spec = { image: reference, command: args, openStdin: true, readOnly: false, memoryBytes };
  const id = await engine.createContainer(spec, signal);
  try {
    const connection = await engine.attach(id, signal);
    await engine.start(id, signal);
    connection.end(input);
    const printed: ProgramOutput[] = [];
    for await (const piece of demultiplex(connection)) printed.push(piece);
    const text = (wanted: ProgramOutput["stream"]) =>
      Buffer.concat(printed.filter(({ stream }) => stream === wanted).map(({ bytes }) => bytes)).toString();
    const state = await engine.state(id, signal);
    return { code: state?.exitCode ?? null, stdout: text("stdout"), stderr: text("stderr") };
  } finally {
    await engine.remove(id);
  }
}
