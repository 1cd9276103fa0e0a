// What a promotion is refused for, each with the way out.
import { PlatformError } from "../errors";
import type { Digest } from "../oci/digest";
import { isVersion } from "../release/versions";

/** What all refusals of one promotion have in common. */
export interface Promoted {
  /** Repository of the releases that it comes from, `host/path`. */
  readonly from: string;
  /** Repository of the releases that it goes to. */
  readonly to: string;
  readonly version: string;
  readonly digest: Digest;
  /** The stack that promotes. */
  readonly stack: string;
  /** The stack that it comes from, where that is known; asked for only by a refusal. */
  readonly source?: () => string | undefined;
}

const rule = "a promotion takes a release as it is, by digest";

/** The digest is in neither registry. */
export function promotionGone({ from, to, version, digest, stack, source }: Promoted): PlatformError {
  return new PlatformError("promotion-gone", {
    what: `${version}, image ${digest}, is neither in ${from} nor in ${to}`,
    rule: "what is promoted is there, by its digest",
    fix: `promote a release that is there: ${promoteAgain({ from, stack, source })}`,
  });
}

/** The source lost a part of the image, or all of it, since it was looked at. */
export function promotionIncomplete(
  { from, digest, stack }: Pick<Promoted, "from" | "digest" | "stack">,
  cause: PlatformError,
): PlatformError {
  return new PlatformError(
    "promotion-gone",
    {
      what: `image ${digest} cannot be taken from ${from}: ${cause.problem.what}`,
      rule: "what is promoted is there, by its digest, with everything that it refers to",
      fix: `push it there again, or promote a release that is whole: ${promoteAgain({ from, stack })}`,
    },
    { cause },
  );
}

/** A tag of the source does not name the digest. */
export function promotionMismatch(
  { from, digest, stack, source }: Promoted,
  tag: string,
  found?: Digest,
): PlatformError {
  return new PlatformError("promotion-mismatch", {
    what: `${from}:${tag} ${found ? `names ${found}` : "is not there"}, and the promotion is of ${digest}`,
    rule: "version, commit and digest of a promotion are those of one release",
    fix: `write them anew, all from the same release: ${promoteAgain({ from, stack, source })}`,
  });
}

/** The image does not say what it is made of. */
export function promotionForeign({ from, digest, stack, source }: Promoted): PlatformError {
  return new PlatformError("promotion-foreign", {
    what: `image ${digest} of ${from} does not name its inputs`,
    rule: `${rule}: an image that this program released and tested`,
    fix: `promote a release of a stack that builds: ${promoteAgain({ from, stack, source })}`,
  });
}

/** The version is below the highest one of the target. */
export function promotionDowngrade({ to, version, stack, source }: Promoted, highest: string): PlatformError {
  const from = source?.();
  return new PlatformError("promotion-downgrade", {
    what: `${version} is below ${highest}, the highest version of ${to}`,
    rule: "going back is said in the stack file",
    fix: from
      ? `${promoteLine(stack, from)} --version ${version} --rollback`
      : `pulumi config set --path policy-platform:promotion.rollback true --stack ${stack}`,
  });
}

/** The target has given the version, or the commit's tag, to another image. */
export function promotionTaken(
  { from, to, digest, stack, source }: Omit<Promoted, "version" | "digest"> & { readonly digest?: Digest },
  tag: string,
  found: Digest,
): PlatformError {
  return new PlatformError("version-taken", {
    what: `${to}:${tag} already names another image, ${found}, and the promotion is of ${digest ?? "one that is not known yet"}`,
    rule: "the tags of a release never move",
    fix: `release ${isVersion(tag) ? "the same content under a higher version" : "a change, of another commit,"} where it is built, then ${promoteAgain({ from, stack, source })}`,
  });
}

/** Source and target are one repository. */
export function promotionSelf({ from, stack }: Pick<Promoted, "from" | "stack">): PlatformError {
  return new PlatformError("promotion-self", {
    what: `policy-platform:promotion.from is ${from}, where this stack's own releases are`,
    rule: "a promotion goes from one repository of releases to another",
    fix: `name that of the stack that builds: ${promoteLine(stack)}, where FROM is that stack`,
  });
}

/** Two stacks have their releases in one repository, `to`. */
export function promotionShared({ to, source, stack }: Pick<Promoted, "to" | "stack"> & { readonly source: string }) {
  return new PlatformError("promotion-self", {
    what: `stack ${stack} has its releases where stack ${source} has them, in ${to}`,
    rule: "a promotion goes from one repository of releases to another",
    fix: `give stack ${stack} a registry of its own, or an image name: pulumi config set --path policy-platform:image.name NAME --stack ${stack}`,
  });
}

/** The registry of the stack that it comes from has no TLS. */
export function promotionPlain({ from, source }: Pick<Promoted, "from"> & { readonly source: string }): PlatformError {
  return new PlatformError("promotion-plain", {
    what: `the registry of stack ${source} has no TLS (policy-platform:registry.insecure), and ${from} is on another machine`,
    rule: "a promotion reads its source over TLS or on loopback, as the source gets credentials",
    fix: `give that registry TLS, then pulumi config rm --path policy-platform:registry.insecure --stack ${source}`,
  });
}

/** The line that writes another release of the same repository into the stack file. */
function promoteAgain({ from, stack, source }: Pick<Promoted, "from" | "stack" | "source">): string {
  const name = source?.();
  return name ? promoteLine(stack, name) : `${promoteLine(stack)}, where FROM is the stack that releases to ${from}`;
}

/** What writes a promotion into the file of `stack`; `FROM` is for whoever reads it to replace. */
export function promoteLine(stack: string, source = "FROM"): string {
  return `policy-platform promote ${source} ${stack}`;
}
