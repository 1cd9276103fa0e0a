// Where the gate finds what a policy repository has beside what ships: in a folder of this machine, or in a commit.

import { leftOutDigest } from "../git/leftOut";
import type { Digest } from "../oci/digest";
import type { CompositionSettings } from "../plan/composition";
import { leftOutFiles } from "../policies/tests";
import type { GitRepository } from "./repositorySource";

/** Exactly one of `folder` and `git`. */
export interface TestSource {
  readonly folder?: string;
  readonly git?: Pick<GitRepository, "url" | "commit" | "path">;
  /** Of what does not ship, or of the commit that has it. */
  readonly digest: Digest;
}

/** Of every repository whose source is at hand; of an image its publisher runs the tests. Of a commit nothing is fetched here. */
export function testSources(
  policies: CompositionSettings["policies"],
  folders: Readonly<Record<string, { readonly files: Readonly<Record<string, string>> }>>,
): Readonly<Record<string, TestSource>> {
  const entries = Object.entries(policies).flatMap(([name, { folder, git }]): [string, TestSource][] => {
    if (git) {
      const { url, commit, path } = git;
      const place = { url, commit, ...(path !== undefined && { path }) };
      return [[name, { git: place, digest: leftOutDigest(place) }]];
    }
    if (folder === undefined) return [];
    return [[name, { folder, digest: leftOutFiles(folder, folders[name]!.files).digest }]];
  });
  return Object.fromEntries(entries);
}
