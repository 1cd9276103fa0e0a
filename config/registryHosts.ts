// What well-known hosts allow as a registry's address: said before anything is built, as they themselves only refuse the first push.
import { dockerHubHosts } from "../lib/oci/hosts";
import { problem, type Scene, valueAt } from "./issues";
import { type ConfigurationProblem, setLine } from "./problems";

const dockerHub = dockerHubHosts[0]!;
const github = "ghcr.io";

/** Problems of an address on Docker Hub, whose repositories have two levels, or on GitHub's registry, where the first one is the owner. */
export function registryHosts(scene: Scene): ConfigurationProblem[] {
  const address = valueAt(scene.raw, ["registry", "address"]);
  if (typeof address !== "string") return [];
  const [host, ...levels] = address.split("/");
  if (dockerHubHosts.includes(host!)) return [...dockerHubAddress(host!, levels, scene), ...dockerHubSeparator(scene)];
  if (host !== github || levels.length > 0) return [];
  const rule = "an address on GitHub's registry names the user or organisation that owns the packages: ghcr.io/<owner>";
  return [levelsProblem("names no owner", rule, `${github}/OWNER`, scene)];
}

function dockerHubAddress(host: string, levels: readonly string[], scene: Scene): ConfigurationProblem[] {
  // Without any level it is no address to begin with.
  if (levels.length === 0 || (host === dockerHub && levels.length === 1)) return [];
  const wrong =
    levels.length === 1 ? `names Docker Hub as ${host}` : `has ${levels.length} levels after Docker Hub's name`;
  const rule = "an address on Docker Hub is docker.io/<namespace>, as repositories there have two levels";
  return [levelsProblem(wrong, rule, `${dockerHub}/${levels[0]}`, scene)];
}

function dockerHubSeparator(scene: Scene): ConfigurationProblem[] {
  const path = ["registry", "separator"];
  const separator = valueAt(scene.raw, path) ?? "/";
  if (separator !== "/") return [];
  const rule = "repositories on Docker Hub have two levels, so the further ones are joined by a dash";
  return [problem("registry-levels", path, 'is "/" on Docker Hub', rule, setLine(path, "-", scene))];
}

function levelsProblem(wrong: string, rule: string, meant: string, scene: Scene): ConfigurationProblem {
  const path = ["registry", "address"];
  return problem("registry-levels", path, wrong, rule, setLine(path, meant, scene));
}
