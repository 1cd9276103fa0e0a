// Which stack of the project a promotion comes from, as the stack files beside its own say it.
import { join } from "node:path";
import { PlatformError } from "../lib/errors";
import { isSameRepository } from "../lib/oci/hosts";
import { parseRepository } from "../lib/oci/reference";
import { shortName } from "../lib/stackName";
import { fromStackFile } from "./load";
import { stackFileName } from "./problems";
import { releaseRepository, stackName } from "./promotionSchema";
import { releasePlace } from "./releasePlace";
import type { ParseContext } from "./settings";
import { stacksIn } from "./stacks";

/**
 * The stack that `promotion` names itself, else the only other stack of the project that releases to the repository which it
 * takes from; undefined where nothing tells. The values may be anything that somebody wrote.
 */
export function sourceStack(
  promotion: { readonly stack?: unknown; readonly from?: unknown },
  { stack: own, projectDir }: ParseContext,
): string | undefined {
  const { stack, from } = promotion;
  if (typeof stack === "string" && stackName.refuse(stack) === undefined) return shortName(stack);
  if (typeof from !== "string" || releaseRepository.refuse(from) !== undefined) return undefined;
  const source = parseRepository(from);
  const others = stacksIn(projectDir).filter((one) => stackFileName(one) !== stackFileName(own));
  const found = others.filter((one) => {
    const releases = releasesOf({ stack: one, projectDir });
    return releases !== undefined && isSameRepository(parseRepository(releases), source);
  });
  return found.length === 1 ? found[0] : undefined;
}

/** Where a stack puts its releases; undefined where its file does not say it in order. */
function releasesOf(context: ParseContext): string | undefined {
  const { stack, projectDir } = context;
  try {
    return releasePlace(fromStackFile(join(projectDir, stackFileName(stack)), stack).raw, context);
  } catch (error) {
    if (error instanceof PlatformError) return undefined;
    throw error;
  }
}
