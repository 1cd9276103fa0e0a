// Makes the registry's program ready for the tests without installing anything: Debian's package, unpacked into the cache folder.
import { layoutOf } from "../local/layout";
import { Steps } from "../local/steps";
import { PrivateApt } from "../local/toolchain/debian";
import { Toolchain } from "../local/toolchain/toolchain";
import { registryProgram } from "../test/support/registry";

async function prepare(): Promise<void> {
  const layout = layoutOf(process.cwd());
  const steps = new Steps({ write: (text) => console.log(text) });
  const apt = new PrivateApt(layout, steps.signal);
  const toolchain = new Toolchain(layout, steps, apt);
  try {
    await steps.run("Registry for the tests", (step) => toolchain.registry(step));
    await steps.settle();
    await toolchain.close();
  } finally {
    await apt.close();
  }
}

if (registryProgram() === undefined) {
  prepare().catch((error: Error) => {
    console.error(`✗ ${error.message}`);
    process.exitCode = 1;
  });
}
