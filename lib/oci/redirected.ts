// Where a page leads to, without going there.
import type { DownloadOptions } from "./download";
import { asDownload, failed, targetOf } from "./downloadRequest";
import { defaultLimits } from "./limits";
import { retrying } from "./retry";
import { send } from "./transport";

/**
 * The first address that a page redirects to and that `until` takes; undefined when it leads nowhere such. Only heads are read, and no
 * other host is asked. Errors: `download-refused`, `download-failed`.
 */
export async function redirectedTo(
  url: string,
  until: (target: URL) => boolean,
  options: Pick<DownloadOptions, "mirrors" | "signal" | "limits"> = {},
): Promise<URL | undefined> {
  const { signal } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const first = targetOf(url, options.mirrors ?? {});
  const locationOf = async (at: URL) => {
    const answer = await send({ method: "GET", url: at, headers: { accept: "text/html" }, limits, signal }).catch(
      (thrown) => {
        throw asDownload(thrown, at);
      },
    );
    await answer.discard();
    if (answer.status === 429 || answer.status >= 500) throw failed(answer);
    const location = answer.status >= 300 && answer.status <= 399 ? answer.headers.get("location") : null;
    return location !== null && URL.canParse(location, at.href) ? new URL(location, at) : undefined;
  };
  let at: URL | undefined = first;
  for (let hops = 0; at?.host === first.host && hops <= limits.redirects; hops++) {
    const from: URL = at;
    at = await retrying(() => locationOf(from), { limits, signal });
    if (at && until(at)) return at;
  }
  return undefined;
}
