// Where a stack puts its releases, whatever else is wrong with its configuration.
import { repositoryNames } from "../lib/registry/names";
import { problemsOfIssue } from "./issues";
import { ConfigurationError } from "./problems";
import { registryPlace } from "./registrySettings";
import { problemsOfRules } from "./rules";
import { schema } from "./schema";
import type { ParseContext, RawConfiguration } from "./settings";

const placeSchema = schema.pick({ registry: true, image: true });

/** The repository of the releases, `host/path`. Error: `configuration-invalid` with the problems of keys `registry` and `image` alone. */
export function releasePlace({ registry, image }: RawConfiguration, context: ParseContext): string {
  const raw = { ...(registry !== undefined && { registry }), ...(image !== undefined && { image }) };
  const scene = { ...context, raw, written: () => undefined, inFile: () => undefined, source: () => undefined };
  const found = placeSchema.safeParse(raw);
  const issues = found.success ? [] : found.error.issues.flatMap((issue) => problemsOfIssue(issue, scene));
  const problems = [...issues, ...problemsOfRules(scene)];
  if (problems.length > 0) throw new ConfigurationError(problems, context);
  const { data } = found as { data: NonNullable<typeof found.data> };
  return repositoryNames(registryPlace(data.registry)!).releases(data.image.name);
}
