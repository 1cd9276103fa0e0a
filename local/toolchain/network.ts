// What a child that fetches something may know of this machine's way to the network, and the one probe of that way.

/** Proxies, certificates, Go's and npm's own settings; tokens and all else stay behind. */
const passed = [
  /^(https?|no|all|ftp)_proxy$/i,
  /^SSL_CERT_(FILE|DIR)$/,
  /^NODE_EXTRA_CA_CERTS$/,
  /^GO(PROXY|SUMDB|NOSUMDB|NOSUMCHECK|PRIVATE|NOPROXY|INSECURE|AUTH|PATH|MODCACHE|ENV)$/,
  /^GIT_SSL_CAINFO$/,
  /^APT_CONFIG$/,
  /^npm_config_(registry|(user|global)config|cache|cafile|(https?_?)?proxy|no_?proxy|strict_ssl)$/i,
];

/** The variables of this process's environment that a fetching child needs. */
export function networkEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const entries = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && passed.some((pattern) => pattern.test(name)) ? [[name, value]] : [],
  );
  return Object.fromEntries(entries);
}

/** True when `url` answers a HEAD with success, redirects followed, within `patience` milliseconds. */
export async function canReach(url: string, patience = 2_500): Promise<boolean> {
  try {
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(patience) });
    return answer.ok;
  } catch {
    return false;
  }
}
