// The settings that a stack has once a release is promoted to it.
import { sha256 } from "../lib/oci/digest";
import { parseSettings } from "./parse";
import { Secret } from "./problems";
import { promotedCommit, promotedVersion } from "./promotionSchema";
import type { ParseContext, PromotionSettings, RawConfiguration } from "./settings";

/**
 * Of a stack that promotes from `from` (`host/path`), whatever its file says of a release so far. Version, digest and commit are
 * examples, to be replaced by those of a release. Error: `configuration-invalid` with all problems that the stack would have then.
 */
export function promotionTarget(raw: RawConfiguration, from: string, context: ParseContext): PromotionSettings {
  const written = raw.promotion ?? {};
  const isMap = typeof written === "object" && !Array.isArray(written) && !(written instanceof Secret);
  const release = { version: promotedVersion.example, digest: sha256(""), commit: promotedCommit.example };
  const promotion = isMap ? { ...written, from, ...release } : written; // else its problem is said
  return parseSettings({ ...raw, promotion }, context) as PromotionSettings;
}
