// Asks for a published file: which address, through a mirror or not, and which redirects are followed.
import { PlatformError } from "../errors";
import { printable } from "../printable";
import { describe, transient, transientHint, unreachableCodes } from "./failures";
import { isInside, isLoopback, refuseHop } from "./hosts";
import type { Limits } from "./limits";
import { parseRetryAfter } from "./retry";
import { type Answer, send } from "./transport";

/** Where to ask, and for how long. */
export interface Hop {
  readonly target: URL;
  readonly limits: Limits;
  readonly signal?: AbortSignal;
}

const rule = "a pinned release must be where its address says";

/** The address that is asked: the host's mirror where there is one. Error: `download-refused`. */
export function targetOf(url: string, mirrors: Readonly<Record<string, string>>): URL {
  if (!URL.canParse(url)) throw refused(url, "it is no address");
  const original = new URL(url);
  const mirror = Object.hasOwn(mirrors, original.host) ? mirrors[original.host] : undefined;
  const problem = refuseHop(new URL("http://localhost"), original, []);
  if (mirror === undefined && problem !== undefined) throw refused(url, problem);
  if (mirror === undefined) return original;
  if (!URL.canParse(mirror)) throw refused(mirror, "the mirror is no address");
  const target = new URL(mirror);
  if (!/^https?:$/.test(target.protocol) || target.username !== "" || target.password !== "")
    throw refused(mirror, "the mirror is no plain http or https address");
  target.pathname = `${target.pathname.replace(/\/$/, "")}${original.pathname}`;
  target.search = original.search;
  return target;
}

/** The answer with the file, or with the part of it that `headers` ask for (206), behind any redirects. */
export async function requestFile(
  { target, limits, signal }: Hop,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  let url = target;
  for (let hops = 0; hops <= 2 * limits.redirects; hops++) {
    const answer = await send({ method: "GET", url, headers: { accept: "*/*", ...headers }, limits, signal }).catch(
      (thrown) => {
        throw asDownload(thrown, url);
      },
    );
    if (answer.status === 200 || (answer.status === 206 && headers.range !== undefined)) return reading(answer);
    const location = answer.headers.get("location");
    await answer.discard();
    if (answer.status < 300 || answer.status > 399 || location === null) throw failed(answer);
    if (!URL.canParse(location, url.href)) throw refused(url.href, "it redirects to what is no address");
    const next = new URL(location, url);
    const problem = refuseRedirect(url, next);
    if (problem !== undefined) throw refused(next.href, problem);
    url = next;
  }
  throw refused(target.href, "it redirects without end");
}

/**
 * Why a redirect is not followed, or undefined. Another host is fine over https: releases are kept elsewhere, and the
 * checksum is what counts. A public host does not get to choose what is asked inside our own network.
 */
export function refuseRedirect(from: URL, to: URL): string | undefined {
  const problem = to.host === from.host && to.protocol === from.protocol ? undefined : refuseHop(from, to, []);
  if (problem !== undefined) return problem;
  if (to.username !== "" || to.password !== "") return "the address holds a user name";
  return isInside(to.hostname) && !isInside(from.hostname)
    ? `${from.host} leads to ${to.hostname}, which is inside this network`
    : undefined;
}

/** The same answer, whose faults while it is read are a download's. */
function reading(answer: Answer): Answer {
  return {
    ...answer,
    async *chunks() {
      try {
        yield* answer.chunks();
      } catch (thrown) {
        throw asDownload(thrown, answer.url);
      }
    },
  };
}

/** The error for an answer that is no file. */
export function failed(answer: Answer): PlatformError {
  const { status } = answer;
  const retryAfter = parseRetryAfter(answer.headers.get("retry-after"));
  const wait = retryAfter === undefined ? "" : ` and asks to wait ${Math.ceil(retryAfter / 1000)} s`;
  const what = `${describe(answer)} answered ${status}${wait}`;
  const error = (code: string, fix: string) => new PlatformError(code, { what, rule, fix });
  if (status === 404 || status === 410)
    return error("download-missing", "check the address, or add a mirror for its host");
  // Hosts that limit how often they are asked answer 403 too, and then say for how long.
  const passing = [408, 416, 429].includes(status) || status >= 500 || (status === 403 && retryAfter !== undefined);
  if (passing)
    return transient(error("download-failed", "run again later, or add a mirror for its host"), { retryAfter });
  return status === 401 || status === 403
    ? error(
        "download-failed",
        "no credentials are sent to hosts of downloads: add a mirror for its host that asks for none",
      )
    : error("download-failed", "check the address, or add a mirror for its host");
}

/** The transport speaks of registries; here the other side is whoever keeps a release. */
export function asDownload(thrown: unknown, url: URL): unknown {
  if (!(thrown instanceof PlatformError) || !unreachableCodes.includes(thrown.code)) return thrown;
  const { what } = thrown.problem;
  const fix = isLoopback(url.host)
    ? "check that something listens there"
    : thrown.code === "registry-untrusted"
      ? `run the command with NODE_EXTRA_CA_CERTS=<file of its authority>, or add a mirror for ${url.host}`
      : `check that ${url.host} can be reached from here, or add a mirror for it`;
  const failure = new PlatformError("download-failed", { what, rule, fix }, { cause: thrown });
  const hint = transientHint(thrown);
  return hint === undefined ? failure : transient(failure, hint);
}

function refused(url: string, why: string): PlatformError {
  const shown = URL.canParse(url) ? `${new URL(url).host}${new URL(url).pathname}` : JSON.stringify(url);
  return new PlatformError("download-refused", {
    what: `download of ${printable(shown)} refused: ${why}`,
    rule: "downloads come over https, without a password in the address",
    fix: "correct the address",
  });
}
