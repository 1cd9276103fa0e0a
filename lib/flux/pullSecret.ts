// The login that a cluster pulls by, as the one form that Flux takes: a docker config.
import { PlatformError } from "../errors";
import { isSameRegistry } from "../oci/hosts";
import { parseRepository } from "../oci/reference";

/** Name of the Secret beside an OCIRepository of that name. */
export function pullSecretName(name: string): string {
  return `${name}-pull`;
}

/** Docker Hub's key in every docker config. */
const dockerHubKey = "https://index.docker.io/v1/";

/**
 * A docker config as JSON, of one that is given or of `user:password`, for the registry of `repository` (`host/path`). Error:
 * `pull-secret-malformed`, which shows nothing of it.
 */
export function dockerConfigJson(secret: string, repository: string): string {
  const { registry } = parseRepository(repository);
  if (secret.trimStart().startsWith("{")) return configFor(secret, registry);
  const colon = secret.indexOf(":");
  if (colon < 1 || colon === secret.length - 1 || /[\r\n]/.test(secret)) throw malformed("is no user:password");
  const key = isSameRegistry(registry, "docker.io") ? dockerHubKey : registry;
  return JSON.stringify({ auths: { [key]: { auth: Buffer.from(secret).toString("base64") } } });
}

/** As it was given: Flux picks the entry of its registry. What names a helper of some machine is of no use in a cluster. */
function configFor(secret: string, registry: string): string {
  const auths = authsIn(secret);
  if (auths === undefined) throw malformed("is no docker config with a map of auths");
  const hosts = Object.keys(auths).map((key) => key.replace(/^https?:\/\//, "").split("/")[0]!);
  if (hosts.some((host) => isSameRegistry(host, registry))) return secret;
  throw malformed(`has no login for ${registry}`);
}

function authsIn(secret: string): object | undefined {
  try {
    const { auths } = JSON.parse(secret) as { auths?: unknown };
    return auths !== null && typeof auths === "object" && !Array.isArray(auths) ? auths : undefined;
  } catch {
    return undefined;
  }
}

function malformed(wrong: string): PlatformError {
  return new PlatformError("pull-secret-malformed", {
    what: `the pull secret of a cluster ${wrong}`,
    rule: "a pull secret is user:password, or a docker config as JSON with an entry for the stack's registry",
    fix: "set it again: pulumi config set --secret --path 'policy-platform:clusters.NAME.pullSecret'",
  });
}
