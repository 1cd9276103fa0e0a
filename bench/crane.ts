// `crane`, which promotions are measured beside: had from Go modules as the local stack has its programs.
import { join } from "node:path";
import { exec } from "../lib/exec";
import { layoutOf } from "../local/layout";
import { Steps } from "../local/steps";
import { PrivateApt } from "../local/toolchain/debian";
import { Toolchain } from "../local/toolchain/toolchain";
import { expectSuccess } from "../test/support/project";

/** Builds it into the cache folder unless it is there; gives what runs it. */
export async function crane(): Promise<(...args: string[]) => Promise<unknown>> {
  const layout = layoutOf(join(__dirname, ".."));
  const steps = new Steps({ write: (text) => console.log(text) });
  const apt = new PrivateApt(layout, steps.signal);
  const toolchain = new Toolchain(layout, steps, apt);
  try {
    const program = join(await toolchain.tool("crane"), "crane");
    await toolchain.close();
    return (...args) => expectSuccess(exec(program, [...args, "--insecure"], { timeout: 300_000 }));
  } finally {
    await apt.close();
  }
}
