// The keys of a stack that takes a release from another registry: which one, and nothing that a build needs.
import { z } from "zod";
import { parseRepository } from "../lib/oci/reference";
import * as addresses from "./addresses";
import type { Grammar } from "./grammar";
import * as grammar from "./grammar";
import { named, text } from "./schemaParts";

/** The repository of releases that is promoted from. */
export const releaseRepository: Grammar = {
  rule: "a repository is host/path, without a scheme, a tag or a digest",
  example: "registry.example.com/dev/releases/policy-platform",
  refuse(value) {
    const holds = (name: string) => {
      try {
        const { registry, path } = parseRepository(name);
        return `${registry}/${path}` === name;
      } catch {
        return false;
      }
    };
    if (holds(value)) return undefined;
    const bare = value.replace(/^[a-z]+:\/\//i, "").replace(/(@sha256:.*|:[^/]*)$/, "");
    const meant = bare.replace(/^[^/]*/, (host) => host.toLowerCase());
    return { code: "repository-malformed", wrong: "is not a repository", ...(holds(meant) && { meant }) };
  },
};

/** The version of a release that is there. */
export const promotedVersion: Grammar = {
  rule: 'a promoted version is one that was released: "vMAJOR.MINOR.PATCH" without leading zeros',
  example: "v1.4.2",
  refuse(value) {
    if (value === "auto") return { code: "version-moving", wrong: "is decided where it is built, not here" };
    return grammar.releaseVersion.refuse(value);
  },
};

/** What follows `sha-` in the release's tag. */
export const promotedCommit: Grammar = {
  rule: "a promoted commit is what follows `sha-` in the tag of its release: 12 hexadecimal characters, of a local stack with -xxxxxxxx, or the whole hash",
  example: "0123456789ab",
  refuse(value) {
    const holds = (commit: string) => /^(?:[0-9a-f]{12}(?:-[0-9a-f]{8})?|[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit);
    if (holds(value)) return undefined;
    const meant = value.replace(/^sha-/, "").toLowerCase();
    return { code: "commit-malformed", wrong: "is not such a commit", ...(holds(meant) && { meant }) };
  },
};

/** A stack of the same backend. */
export const stackName: Grammar = {
  rule: "a stack is named with its organization and project, organization/project/stack, in the backend of this one",
  example: "organization/policy-platform/dev",
  refuse: (value) =>
    /^(?:[A-Za-z0-9_.-]{1,100}\/){2}[A-Za-z0-9_.-]{1,100}$/.test(value)
      ? undefined
      : { code: "stack-malformed", wrong: "is not such a name" },
};

/** Key `promotion`. */
export const promotion = z
  .strictObject({
    from: text(
      releaseRepository,
      "The repository of the releases that are taken: output `image.repository` of the stack that built them",
    ),
    version: text(promotedVersion, "The version that it has there, and gets here"),
    digest: text(addresses.digest, "The image's digest, equal in both registries"),
    commit: text(promotedCommit, "The commit that it was released from there"),
    artifacts: named(
      text(addresses.digest, "The artifact's digest, equal in both registries"),
      "The Flux artifacts of the release by environment, which are taken along. `promote` writes them",
    ).default({}),
    rollback: z
      .boolean()
      .default(false)
      .meta({
        description: "Allows a version below the highest one that is here already. `promote --rollback` writes it",
        rule: "rollback is true or false",
        examples: ["true"],
      }),
    stack: text(
      stackName,
      "The stack that built it, looked at in the state backend only: a preview says so where it has moved on",
    ).optional(),
  })
  .meta({
    description:
      "The release that this stack takes from another registry, by digest and without a build. `policy-platform promote` writes it",
    rule: "a promotion is a map of from, version, digest and commit",
  });
