// Runs a command line in this process and catches what it says.
import { runCommand } from "../../../cli/program";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON. */
  readonly data: Record<string, unknown>;
}

export async function run(...argv: string[]): Promise<Ran> {
  const said = { stdout: "", stderr: "" };
  const { stdout, stderr } = process;
  const writes = [stdout.write, stderr.write] as const;
  const catching = (stream: "stdout" | "stderr") => (text: string | Uint8Array) => {
    said[stream] += text;
    return true;
  };
  stdout.write = catching("stdout");
  stderr.write = catching("stderr");
  try {
    const code = await runCommand(argv);
    return { code, ...said, data: /^[{[]/.test(said.stdout) ? JSON.parse(said.stdout) : {} };
  } finally {
    [stdout.write, stderr.write] = writes;
  }
}
