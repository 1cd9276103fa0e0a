// policy-platform repair: what to do after a run was killed.
import { repair } from "../lib/repair";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";

export async function repairStack({ stack, projectDir }: Place, output: Output): Promise<number> {
  narrate("doing", `repairing stack ${stack}`);
  const repaired = await repair({ stack, projectDir, log: (text) => narrate("doing", text) });
  const wrong = repaired.lock === "released" || repaired.ended.length > 0 || repaired.cleared > 0;
  narrate("done", wrong ? "repaired" : "nothing was wrong");
  const next = `pulumi up --stack ${stack}`;
  answer(output, { stack, ...repaired, next }, [next]);
  return exitCodes.ok;
}
