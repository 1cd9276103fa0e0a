// The policies in files of an image, as they are compared with those of an artifact.
import { isTemplate, mayHoldPolicy } from "../gate/policyFiles";
import { isPolicyKind } from "../kyverno/kinds";
import { uncheckedRules } from "../kyverno/outside";
import { documentsOf } from "./documents";
import { type ImagePolicy, standingOf } from "./parity";

/** Those of one text. What is no YAML has none here: other checks refuse it. */
export function policiesIn(path: string, content: Buffer, wasApplied: boolean): ImagePolicy[] {
  const documents = documentsOf(content);
  if ("problem" in documents) return [];
  const unchecked = uncheckedRules(content).map(({ policy }) => policy);
  return documents
    .filter(({ apiVersion, kind }) => isPolicyKind(apiVersion, kind))
    .map(({ object: _whole, ...policy }) => ({
      ...policy,
      path,
      standing: standingOf(policy, { wasApplied, unchecked }),
    }));
}

/** Those of a repository outside of charts' templates. `files`: path in the repository → content. */
export function plainPolicies(
  repository: string,
  files: ReadonlyMap<string, Buffer>,
  wasApplied: (path: string) => boolean,
): ImagePolicy[] {
  return [...files]
    .filter(([path, content]) => /\.ya?ml$/i.test(path) && mayHoldPolicy(content) && !isTemplate(path, files))
    .flatMap(([path, content]) => policiesIn(`${repository}/${path}`, content, wasApplied(path)));
}
