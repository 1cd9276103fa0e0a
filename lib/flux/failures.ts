// What a failure of Flux means and what to do about it. Flux's own message is always kept: the advice only stands behind it.
import { PlatformError } from "../errors";
import { printable } from "../printable";

/** One object that does not come. */
export interface DeliveryFailure {
  readonly kind: "OCIRepository" | "Kustomization";
  readonly namespace: string;
  readonly name: string;
  /** Flux's reason, or an obstacle. */
  readonly reason: string;
  /** Flux's message, or that of the webhook or registry that Flux passes on. */
  readonly message: string;
}

/** The stack that delivers, for commands in an advice. */
export interface DeliveryAdvice {
  readonly stack: string;
  /** `context dev of .local/kubeconfig`: how messages name the cluster. */
  readonly cluster: string;
}

const passing = [
  /connection refused|connection reset|network is unreachable|i\/o timeout|TLS handshake timeout|deadline exceeded|unexpected EOF/i,
  /server misbehaving|TOOMANYREQUESTS|UNAVAILABLE|unexpected status code (?:408|429|5\d\d)|too many requests/i,
  /failed calling webhook|failed to call webhook|etcdserver|leader changed|context canceled|the object has been modified/i,
  /no matches for kind|unable to return a response in the time|currently unable to handle the request/i,
];
/** A certificate that nobody trusts stays so, also where a connection is what failed; but a webhook's is renewed at its start. */
const lasting = /x509|certificate signed by unknown authority|server gave HTTP response to HTTPS client/i;

/** Whether a failure may end by itself: a network, a registry or a webhook that is not there yet. */
export function passes(reason: string, message: string): boolean {
  if (lasting.test(message)) return /failed (?:calling|to call) webhook/i.test(message);
  return reason === "HealthCheckCanceled" || passing.some((pattern) => pattern.test(message));
}

const messageLength = 1200;

/** The error for an object that failed for good. */
export function deliveryFailed(failure: DeliveryFailure, advice: DeliveryAdvice): PlatformError {
  const { kind, namespace, name, reason, message } = failure;
  const { stack, cluster } = advice;
  const object = `${kind} ${namespace}/${name}`;
  const own = ["Missing", "Deleting", "Suspended", "OtherDigest"].includes(reason);
  const what = `${object} in ${cluster}: ${own ? message : `${reason}: ${printable(message, messageLength)}`}`;
  const refuse = (code: string, rule: string, fix: string) => new PlatformError(code, { what, rule, fix });
  const again = `pulumi up --stack ${stack}`;
  const repair = `pulumi up --refresh --stack ${stack}`;
  const looked = (pattern: RegExp) => pattern.test(message);

  if (reason === "Suspended")
    return refuse(
      "flux-suspended",
      "a suspended object delivers nothing",
      `ask who suspended it, then run ${repair}, which resumes it`,
    );
  if (own) return refuse("flux-object-changed", "what delivers policies is what the stack declares", `run ${repair}`);
  if (kind === "OCIRepository") {
    if (looked(/secrets? ".*" not found/))
      return refuse(
        "flux-secret-missing",
        "a secretRef or certSecretRef names a Secret in the namespace of the OCIRepository",
        `create that Secret in namespace ${namespace}, or set clusters.<name>.pullSecret, then run ${again}`,
      );
    if (looked(/server gave HTTP response to HTTPS client/))
      return refuse(
        "flux-registry-insecure",
        "only a registry on loopback is read without TLS",
        "put a certificate before the registry",
      );
    if (looked(/x509|certificate/i))
      return refuse(
        "flux-registry-untrusted",
        "a registry's certificate is checked by the source-controller, with the authorities of its own image",
        `put the authority's certificate as ca.crt into a Secret of namespace ${namespace}, name it in clusters.<name>.certSecretRef, then run ${again}`,
      );
    if (looked(/UNAUTHORIZED|DENIED|\b40[13]\b|failed to get credential/))
      return refuse(
        "flux-login-refused",
        "a cluster reads a private registry with a login of its own",
        `set one of clusters.<name>.secretRef, pullSecret and provider to a login that may read, then run ${again}`,
      );
    if (looked(/MANIFEST_UNKNOWN|NAME_UNKNOWN|BLOB_UNKNOWN|unexpected status code 404/))
      return refuse(
        "flux-artifact-gone",
        "an artifact stays in its registry for as long as a cluster is to read it",
        `publish it again with pulumi up --refresh in the stack that builds, and look at the registry's clean-up rules`,
      );
    if (looked(/no match found for semver/))
      return refuse(
        "flux-range-empty",
        "a cluster that follows a range needs a released version inside it",
        "release one, or change clusters.<name>.follow",
      );
    return refuse(
      "flux-source-failed",
      "a cluster applies what its source has stored",
      `mend what it says, then run ${again}`,
    );
  }
  if (looked(/no matches for kind/))
    return refuse(
      "flux-kind-unknown",
      "the custom resource definitions of a policy are in the cluster before the policy",
      `install the Kyverno that serves this kind, then run ${again}`,
    );
  if (looked(/is forbidden: User|cannot (?:patch|create|get) resource/))
    return refuse(
      "flux-apply-forbidden",
      "the service account that applies policies may write them",
      `give clusters.<name>.serviceAccount a role for these kinds, then run ${again}`,
    );
  if (looked(/admission webhook "[^"]*" denied the request|denied request:/))
    return refuse(
      "flux-policy-denied",
      "a cluster's admission decides about policies too, and a denied one changes nothing",
      "mend the policy, or the rule that denies it, and release again",
    );
  if (looked(/field not declared in schema|dry-run failed \(Invalid\)|is invalid:|failed to create typed patch object/))
    return refuse(
      "flux-policy-invalid",
      "a policy follows the schema of the Kyverno in the cluster",
      "mend the policy and release again, or pin the Kyverno version that the cluster has",
    );
  if (reason === "HealthCheckFailed")
    return refuse(
      "flux-policy-unready",
      "a policy counts as delivered when Kyverno has taken it up",
      `look at Kyverno: kubectl --namespace kyverno logs deployment/kyverno-admission-controller; then run ${again}`,
    );
  return refuse(
    "flux-apply-failed",
    "a cluster holds the whole artifact or says why not",
    `mend what it says, then run ${again}`,
  );
}

/** What is seen of a controller that was asked and has not looked. */
export const unanswered = "its controller has not answered the request to try again";

/** The error for a cluster that was not ready in time. */
export function deliverySlow(
  waited: { readonly subject: string; readonly seen: string; readonly seconds: number },
  { stack, cluster }: DeliveryAdvice,
): PlatformError {
  const { subject, seen, seconds } = waited;
  return new PlatformError("delivery-timeout", {
    what: `${subject} in ${cluster} is not ready after ${seconds} s: ${printable(seen, messageLength)}`,
    rule: seen.startsWith("DependencyNotReady")
      ? "a Kustomization waits for those that it depends on"
      : "a run ends when the cluster enforces what was released",
    fix: `${waitFix(seen)}, then run pulumi up --stack ${stack}: it goes on from there`,
  });
}

function waitFix(seen: string): string {
  if (seen.startsWith("DependencyNotReady"))
    return "make the Kustomization ready that it names, or take it out of clusters.<name>.dependsOn";
  if (/no controller has looked|has not seen the last change|has not answered/.test(seen))
    return "see that Flux runs: kubectl get deployments --namespace flux-system";
  if (/Kyverno has not|not ready|Not Ready/.test(seen))
    return "see that Kyverno runs: kubectl get pods --namespace kyverno";
  return "mend what it says or raise the time-out";
}
