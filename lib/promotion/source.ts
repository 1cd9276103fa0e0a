// What the stack that builds says of itself, in the state backend: an optional cross-check of what is promoted.
import { PlatformError } from "../errors";
import { type Digest, isDigest, shortDigest } from "../oci/digest";
import { compareReleases, isVersion } from "../release/versions";
import { shortName } from "../stackName";

/** Lines that warn where `outputs` of `name` speak of another release. A failed update does not show in them. */
export function sourceWarnings(
  outputs: unknown,
  { name, version, digest, stack }: { name: string; version: string; digest: Digest; stack: string },
): string[] {
  const built = (outputs ?? {}) as { version?: unknown; image?: { digest?: unknown } | null };
  const { version: its } = built;
  const itsDigest = built.image?.digest;
  if (typeof its !== "string" || !isVersion(its) || typeof itsDigest !== "string" || !isDigest(itsDigest))
    return [
      `stack ${name} has no release in its outputs: it was not brought up yet, or it is no stack of this program`,
    ];
  if (itsDigest === digest) return [];
  const named = `${its} (${shortDigest(itsDigest)})`;
  const order = compareReleases(its, version);
  if (order > 0)
    return [`stack ${name} has moved on to ${named}: policy-platform promote ${shortName(name)} ${stack} takes it`];
  return [`stack ${name} is at ${named}, ${order === 0 ? "another image of this version" : "below what is promoted"}`];
}

/** `promotion-stack-unreadable`: the backend has no such stack, or does not let it be read. */
export function sourceUnreadable(name: string, stack: string, reason: string): PlatformError {
  return new PlatformError("promotion-stack-unreadable", {
    what: `the outputs of stack ${name} cannot be read: ${reason}`,
    rule: "policy-platform:promotion.stack names a stack in the state backend of this one; it is optional",
    fix: `correct it, or pulumi config rm --path policy-platform:promotion.stack --stack ${stack}`,
  });
}
