// What goes wrong with a cluster, one error code for each kind of it.
import { PlatformError, type Problem } from "../errors";
import { printable, quoted } from "../printable";
import { installationOf } from "./controllers";
import { groupOf, type Status } from "./objects";

/** An answer of a cluster that is a refusal; `status` is the API's own document about it, bounded. */
export class ClusterError extends PlatformError {
  constructor(
    code: string,
    problem: Problem,
    readonly status?: Status,
    options?: { cause?: unknown },
  ) {
    super(code, problem, options);
    this.name = "ClusterError";
  }
}

/** One request, for messages. */
export interface Asked {
  /** `https://10.0.0.1:6443`, without user information. */
  readonly server: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

/** Most characters kept of a cluster's own words: a webhook's denial lists every rule that failed. */
const maxWords = 1500;

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name is not known",
  ECONNRESET: "it closed the connection",
  EPIPE: "it closed the connection",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  EPROTO: "it does not speak TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is of an authority that the kubeconfig does not name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is of an authority that the kubeconfig does not name",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is of an authority that the kubeconfig does not name",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is of an authority that the kubeconfig does not name",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  CERT_HAS_EXPIRED: "its certificate has expired",
};

/** Codes of a cluster that may answer a moment later. */
const away: readonly string[] = ["cluster-unreachable", "cluster-slow", "cluster-failing"];
/** Codes of one that this machine cannot ask, or not now: the network, a proxy's login page, an expired login, a kubeconfig of another machine. */
const unasked: readonly string[] = [
  ...away,
  "cluster-forbidden",
  "cluster-unauthorized",
  "cluster-answer-malformed",
  "kubeconfig-missing",
  "kubeconfig-malformed",
  "kubeconfig-exec-missing",
  "kubeconfig-exec-failed",
];

/** A cluster that is away for a moment: what waits for it goes on waiting. */
export function isAway(error: unknown): error is PlatformError {
  return error instanceof PlatformError && away.includes(error.code);
}

/** What a cluster holds cannot be known now. A preview goes on, as a cluster never stops a release; an update fails. */
export function isNotKnownNow(error: unknown): error is PlatformError {
  return error instanceof PlatformError && unasked.includes(error.code);
}

/** A conversation that did not come about; `error` is Node's. */
export function unreachable({ server }: Asked, error: unknown): ClusterError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = (code !== undefined && causes[code]) || printable(message ?? String(error));
  return new ClusterError(
    "cluster-unreachable",
    {
      what: `the cluster at ${server} cannot be reached: ${reason}${code === undefined ? "" : ` (${code})`}`,
      rule: "a stack that delivers to a cluster talks to its API server",
      fix: "start the cluster (`npm run local` for the local one), or mend `kubeconfig` and `context` of this cluster",
    },
    undefined,
    { cause: error },
  );
}

export function slow({ server, method, path }: Asked, seconds: number): ClusterError {
  return new ClusterError("cluster-slow", {
    what: `the cluster at ${server} did not finish its answer to ${method} ${path} within ${seconds} s`,
    rule: "an API server answers in seconds",
    fix: "look at the load of the cluster's control plane and at its webhooks, and run the command again",
  });
}

/** An answer that no Kubernetes API server gives. */
export function malformed({ server, method, path }: Asked, reason: string): ClusterError {
  return new ClusterError("cluster-answer-malformed", {
    what: `${server} answered ${method} ${path} with something that is no answer of Kubernetes: ${reason}`,
    rule: "the server of a kubeconfig is a Kubernetes API server",
    fix: "look at `server` of the kubeconfig's cluster, and at proxies on the way",
  });
}

/** The error of an answer with a status of 300 or more. */
export function refusal(asked: Asked, code: number, status: Status | undefined): ClusterError {
  const { server, method, path } = asked;
  const words = printable(status?.message ?? "", maxWords);
  const what = `the cluster at ${server} answered ${code} to ${method} ${path}${words && `: ${words}`}`;
  if (code === 401)
    return new ClusterError(
      "cluster-unauthorized",
      { what, rule: "a cluster knows who asks", fix: "log in again, or mend the user of the kubeconfig's context" },
      status,
    );
  if (code === 403 && !/^admission webhook/.test(words))
    return new ClusterError(
      "cluster-forbidden",
      { what, rule: "what a stack declares its user may do", fix: "grant this right to the user of the kubeconfig" },
      status,
    );
  if (code === 409 && status?.details?.causes?.some(({ reason }) => reason === "FieldManagerConflict"))
    return fieldConflict(asked, status);
  // An apply with a field that the kind does not have is answered as a fault of the server's, although it is the object's.
  if ((code === 429 || code >= 500) && !words.startsWith("failed to create typed patch object"))
    return new ClusterError(
      "cluster-failing",
      {
        what,
        rule: "an API server answers what it is asked",
        fix: "look at the cluster's control plane and webhooks, and run the command again",
      },
      status,
    );
  return new ClusterError(
    "cluster-refused",
    {
      what,
      rule: "a cluster takes what its kinds and its admission webhooks allow",
      fix: "mend what the cluster's own words name",
    },
    status,
  );
}

function fieldConflict({ server, path }: Asked, status: Status): ClusterError {
  const found = (status.details?.causes ?? [])
    .slice(0, 20)
    .map(({ field = "?", message = "" }) => `${printable(field)} (${printable(message)})`);
  return new ClusterError(
    "field-conflict",
    {
      what: `the cluster at ${server} has ${path} with fields of another manager: ${found.join(", ")}`,
      rule: "one manager sets a field",
      fix: 'let one of them go: remove the object or the field there, give ours another name, or take it over with the annotation pulumi.com/patchForce: "true"',
    },
    status,
  );
}

export function kindUnserved(
  server: string,
  apiVersion: string,
  kind: string,
  versions: readonly string[],
): ClusterError {
  const others = versions.filter((version) => version !== apiVersion);
  const hint =
    others.length > 0 ? ` (of that group it serves ${others.map((one) => printable(one, 80)).join(", ")})` : "";
  return new ClusterError("kind-unserved", {
    what: `the cluster at ${server} does not serve the kind ${kind} of ${apiVersion}${hint}`,
    rule: "a controller brings its kinds with it",
    fix: installationOf(groupOf(apiVersion)),
  });
}

export function kubeconfigMissing(what: string): PlatformError {
  return new PlatformError("kubeconfig-missing", {
    what,
    rule: "a cluster is found by a kubeconfig",
    fix: "set `kubeconfig` of the cluster to an existing file, or KUBECONFIG",
  });
}

export function kubeconfigMalformed(origin: string, reason: string): PlatformError {
  return new PlatformError("kubeconfig-malformed", {
    what: `the kubeconfig ${origin} cannot be used: ${reason}`,
    rule: "a kubeconfig has clusters, users and contexts (`kubectl config view` reads it)",
    fix: "mend the file, or name another one, or another `context`",
  });
}

export function execMissing(command: string, hint: string | undefined): PlatformError {
  return new PlatformError("kubeconfig-exec-missing", {
    what: `the kubeconfig asks ${quoted(command)} for credentials, and there is no such program`,
    rule: "the credential plugin of a kubeconfig is installed where the program runs",
    fix: hint ? printable(hint, 400) : "install it and put it on PATH, or use another `context`",
  });
}

export function execFailed(command: string, reason: string): PlatformError {
  return new PlatformError("kubeconfig-exec-failed", {
    what: `the credential plugin ${quoted(command)} of the kubeconfig ${reason}`,
    rule: "a credential plugin prints an ExecCredential with a token or a client certificate",
    fix: "run it by hand, log in again, and run the command again",
  });
}
