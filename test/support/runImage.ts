// Programs run in an image, and lines with `docker run` as users type them; where the command is not there, the same through
// the engine.
import { DockerEngine } from "../../lib/docker/engine";
import { demultiplex, type ProgramOutput } from "../../lib/docker/exec";
import { type ExecResult, exec } from "../../lib/exec";

export interface RunImageOptions {
  /** Read as the program's whole standard input. Default: nothing. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Nothing can be written but /tmp. Default: false. */
  readonly readOnly?: boolean;
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
  const { env, input, readOnly } = options;
  const bounds = readOnly ? ["--read-only", "--tmpfs", "/tmp"] : [];
  return exec("docker", ["run", "-i", "--rm", "--network", "none", ...bounds, reference, ...args], {
    env,
    input,
    timeout: patience,
  });
}

/**
 * Runs a line of a shell with one `docker run` in it. Without the docker command the shell only says which arguments it would
 * have been given, and the engine runs them: `-v` is then left out.
 */
export async function runLine(
  line: string,
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<ImageRun> {
  if (await hasDockerCommand()) return exec("bash", ["-c", line], { ...options, timeout: patience });
  const said = await exec("bash", ["-c", `docker() { printf '%s\\0' "$@"; }; ${line}`], options);
  const [verb, ...words] = said.stdout.split("\0").slice(0, -1);
  while (words[0]?.startsWith("-")) words.splice(0, words[0] === "-v" ? 2 : 1);
  if (said.code !== 0 || verb !== "run" || words.length < 2) throw new Error(`no line with docker run: ${line}`);
  return runByEngine(words[0]!, words.slice(1), { env: options.env });
}

async function runByEngine(
  reference: string,
  args: readonly string[],
  { input = "", env, readOnly = false }: RunImageOptions,
): Promise<ImageRun> {
  const engine = DockerEngine.fromEnvironment({ ...process.env, ...env });
  const signal = AbortSignal.timeout(patience);
  if (!(await engine.inspectImage(reference, signal))) await engine.pull(reference, { signal });
  const tmpfs = readOnly ? { "/tmp": 64 * 1024 * 1024 } : undefined;
  const spec = { image: reference, command: args, openStdin: true, readOnly, tmpfs, memoryBytes };
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
