// How one logs in to a registry, and gets the right to write there: every host has words of its own for it.
import { PlatformError } from "../errors";
import { isGoogleRegistry } from "./googleCredentials";
import { dockerHubHosts } from "./hosts";

const githubHost = "ghcr.io";

/** 401 in all its forms; `isNobody`: no credentials were found. */
export function unauthorized(what: string, host: string, isNobody: boolean): PlatformError {
  const isGoogle = isGoogleRegistry(host);
  if (isGoogle && isNobody)
    return new PlatformError("google-credentials-missing", {
      what,
      rule: "the login of a registry of Google comes from the docker config, else from the environment's default credentials",
      fix: `gcloud auth application-default login, or workload identity on a machine of CI, or docker login ${host}`,
    });
  return new PlatformError("registry-unauthorized", {
    what,
    rule: `credentials come from the docker config, its credential helpers included${isGoogle ? ", else from Google's default credentials" : ""}`,
    fix: loginFix(host),
  });
}

function loginFix(host: string): string {
  if (dockerHubHosts.includes(host)) return "docker login, with an access token of Docker Hub";
  if (host === githubHost)
    return `docker login ${host}, with a classic personal access token that has write:packages, or GITHUB_TOKEN with packages: write`;
  return isGoogleRegistry(host)
    ? `gcloud auth application-default login, or docker login ${host}`
    : `docker login ${host}`;
}

/** What to do about credentials that are known and do not suffice for this request. */
export function rightsFix({ host, pathname }: URL, writing: boolean): string {
  const verb = writing ? "write" : "read";
  if (isGoogleRegistry(host))
    return `grant the account roles/artifactregistry.${writing ? "writer" : "reader"} on the repository, if it is there: one that is not answers the same`;
  if (dockerHubHosts.includes(host) && levelsOf(pathname) > 2)
    return 'join the levels after the second by dashes (registry.separator: "-"), as repositories on Docker Hub have two';
  if (dockerHubHosts.includes(host))
    return `give the account the right to ${verb} in that namespace, and its access token the same`;
  if (host === githubHost)
    return `give the token ${verb}:packages, and its account or repository access to the package in the package's settings`;
  return `give the account of ${host} in the docker config the right to ${verb} there`;
}

/** Levels of the repository that a request below /v2/ is about. */
function levelsOf(pathname: string): number {
  return pathname.replace(/\/(?:manifests|blobs|tags|referrers)\/.*$/, "").split("/").length - 2;
}
