// Containers that run other people's programs for a moment: no network, no privileges, bounded, and never left behind.
import type { Duplex, Readable } from "node:stream";
import { EngineAnswerError, type EngineTransport } from "./transport";

export interface ContainerSpec {
  /** Image name or `repository@digest`, in the engine's store already. */
  readonly image: string;
  /** Default: the image's own. */
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Memory without swap, bytes. */
  readonly memoryBytes: number;
  /** Default true: only tmpfs can be written. */
  readonly readOnly?: boolean;
  /** Path → size in bytes of a memory file system, counted as memory of the container. */
  readonly tmpfs?: Readonly<Record<string, number>>;
  /** Paths at which the container gets a volume of its own, which goes with it. */
  readonly volumes?: readonly string[];
  /** Standard input stays open until the one who is attached hangs up, then the main process reads its end. */
  readonly openStdin?: boolean;
  /** The engine removes the container when it ends. */
  readonly autoRemove?: boolean;
}

export interface ContainerState {
  readonly running: boolean;
  readonly exitCode: number;
  /** True when the kernel ended a process of it for its memory. */
  readonly oomKilled: boolean;
  readonly error: string;
}

export interface ContainerSummary {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since it was created, by the engine's own clock. */
  readonly ageSeconds: number;
}

/** Bounds of every container. */
const processors = 2;
const processes = 512;

/** Creates a container with the narrowest rights there are: no network, no capability, no new privileges. Returns its id. */
export async function createContainer(
  transport: EngineTransport,
  spec: ContainerSpec,
  signal?: AbortSignal,
): Promise<string> {
  const { Id } = await transport.document<{ Id: string }>({
    method: "POST",
    path: "/containers/create",
    json: {
      Image: spec.image,
      Cmd: spec.command,
      Labels: spec.labels,
      Volumes: Object.fromEntries((spec.volumes ?? []).map((path) => [path, {}])),
      OpenStdin: spec.openStdin ?? false,
      StdinOnce: spec.openStdin ?? false,
      AttachStdin: spec.openStdin ?? false,
      AttachStdout: true,
      AttachStderr: true,
      HostConfig: {
        NetworkMode: "none",
        AutoRemove: spec.autoRemove ?? false,
        ReadonlyRootfs: spec.readOnly ?? true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        Memory: spec.memoryBytes,
        MemorySwap: spec.memoryBytes,
        NanoCpus: processors * 1e9,
        PidsLimit: processes,
        // What a program prints comes through attach and exec; nothing is kept on the engine's disk.
        LogConfig: { Type: "none" },
        Tmpfs: Object.fromEntries(
          Object.entries(spec.tmpfs ?? {}).map(([path, size]) => [path, `rw,nosuid,nodev,mode=1777,size=${size}`]),
        ),
      },
    },
    signal,
  });
  return Id;
}

/** Starts a created container; one that runs already is left as it is. */
export async function startContainer(transport: EngineTransport, id: string, signal?: AbortSignal): Promise<void> {
  await transport.document({ method: "POST", path: `/containers/${id}/start`, signal });
}

/**
 * The connection to the main process: what is written is its standard input; what comes is its output, framed as
 * {@link demultiplex} reads it. With `openStdin` the process reads the end of its input when this connection ends, even
 * when it ends because this process was killed.
 */
export function attachContainer(transport: EngineTransport, id: string, signal?: AbortSignal): Promise<Duplex> {
  return transport.upgrade({
    method: "POST",
    path: `/containers/${id}/attach`,
    query: { stream: true, stdin: true, stdout: true, stderr: true },
    protocol: "tcp",
    signal,
  });
}

/** The state of a container; undefined when it is gone. */
export async function containerState(
  transport: EngineTransport,
  id: string,
  signal?: AbortSignal,
): Promise<ContainerState | undefined> {
  interface Wire {
    readonly State: { Running: boolean; ExitCode: number; OOMKilled: boolean; Error: string };
  }
  const found = await ifPresent(transport.document<Wire>({ path: `/containers/${id}/json`, signal }));
  if (!found) return undefined;
  const { State } = found;
  return { running: State.Running, exitCode: State.ExitCode, oomKilled: State.OOMKilled, error: State.Error };
}

/** A file or folder of a container as a tar, names relative to its parent; undefined when the path does not exist. */
export function getArchive(
  transport: EngineTransport,
  id: string,
  path: string,
  signal?: AbortSignal,
): Promise<Readable | undefined> {
  return ifPresent(transport.open({ path: `/containers/${id}/archive`, query: { path }, signal }));
}

/** Unpacks a tar into a folder of a container; into a volume where the rest cannot be written. */
export async function putArchive(
  transport: EngineTransport,
  id: string,
  path: string,
  tar: Buffer | Readable,
  signal?: AbortSignal,
): Promise<void> {
  const query = { path, noOverwriteDirNonDir: true };
  await transport.document({ method: "PUT", path: `/containers/${id}/archive`, query, tar, signal });
}

/** Gives a running container another bound of memory, still without swap. */
export async function updateMemory(
  transport: EngineTransport,
  id: string,
  memoryBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const json = { Memory: memoryBytes, MemorySwap: memoryBytes };
  await transport.document({ method: "POST", path: `/containers/${id}/update`, json, signal });
}

/** Ends and removes a container with its volumes; one that is gone or going already is fine. Never aborted: it is the cleaning up. */
export async function removeContainer(transport: EngineTransport, id: string): Promise<void> {
  try {
    await ifPresent(
      transport.document({ method: "DELETE", path: `/containers/${id}`, query: { force: true, v: true } }),
    );
  } catch (error) {
    // 409: the engine removes it already, as autoRemove told it to.
    if (!(error instanceof EngineAnswerError && error.status === 409)) throw error;
  }
}

/** All containers, running or not, that carry a label. */
export async function listContainers(
  transport: EngineTransport,
  label: string,
  signal?: AbortSignal,
): Promise<ContainerSummary[]> {
  interface Wire {
    readonly Id: string;
    readonly Created: number;
    readonly Labels?: Record<string, string>;
  }
  const filters = JSON.stringify({ label: [label] });
  const { SystemTime } = await transport.document<{ SystemTime: string }>({ path: "/info", signal });
  const found = await transport.document<Wire[]>({ path: "/containers/json", query: { all: true, filters }, signal });
  const now = Date.parse(SystemTime) / 1000;
  return found.map(({ Id, Created, Labels = {} }) => ({ id: Id, labels: Labels, ageSeconds: now - Created }));
}

async function ifPresent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EngineAnswerError && error.status === 404) return undefined;
    throw error;
  }
}
