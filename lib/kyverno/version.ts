// Which kyverno a machine has.
import { exec } from "../exec";

/** `1.13.2`; undefined where there is no kyverno on PATH, or one that does not say. */
export async function kyvernoVersion(): Promise<string | undefined> {
  const said = await exec("kyverno", ["version"]).catch(() => undefined);
  return said && /^Version: v?(\d+\.\d+\.\d+\S*)/m.exec(said.stdout)?.[1];
}
