// What the URN of a resource tells.

/** `dev` of `urn:pulumi:dev::policy-platform::policychain:index:Tag::release-version`; the commands that fix an error name it. */
export function stackOf(urn: string): string {
  return /^urn:pulumi:([^:]+)::/.exec(urn)?.[1] ?? "<stack>";
}
