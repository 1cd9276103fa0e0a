// The environment in which plain `pulumi preview|up|refresh` work on the local stack: as variables, and as a file to source.
import type { Layout } from "./layout";

export interface EnvironmentOptions {
  readonly layout: Layout;
  /** Value of DOCKER_HOST. */
  readonly engineHost: string;
  /** Folders that come first on PATH. */
  readonly path: readonly string[];
  /** Value of KUBECONFIG, where a local cluster has been started. */
  readonly kubeconfig?: string;
}

/** Everything but PATH. */
export function stackEnvironment({ layout, engineHost, kubeconfig }: EnvironmentOptions): Record<string, string> {
  return {
    PULUMI_HOME: layout.pulumiHome,
    PULUMI_BACKEND_URL: `file://${layout.state}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: layout.passphraseFile,
    // Both cost seconds at every command: a look for newer releases, and a type check that `npm run check` does.
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    // Node loads the SDK and the TypeScript compiler at every command: 0.3 s less when it need not compile them again.
    NODE_COMPILE_CACHE: layout.compileCache,
    DOCKER_HOST: engineHost,
    ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }),
  };
}

/** The variables with PATH, for a child process. */
export function processEnvironment(options: EnvironmentOptions, path = process.env.PATH ?? ""): Record<string, string> {
  const first = options.path.filter((folder) => !path.split(":").includes(folder));
  return { ...stackEnvironment(options), PATH: [...first, path].join(":") };
}

/** The text of `.local/env`, for any POSIX shell; sourcing it twice changes nothing. */
export function renderEnvironmentFile(options: EnvironmentOptions): string {
  const paths = [...options.path].reverse().map((folder) => {
    const quoted = shellQuote(folder);
    return `case ":$PATH:" in *:${quoted}:*) ;; *) PATH=${quoted}:"$PATH" ;; esac`;
  });
  const variables = Object.entries(stackEnvironment(options)).map(
    ([name, value]) => `export ${name}=${shellQuote(value)}`,
  );
  return [
    "# The local stack's environment, written by `npm run local`: source .local/env",
    ...paths,
    "export PATH",
    ...variables,
    "",
  ].join("\n");
}

/** One word for a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
