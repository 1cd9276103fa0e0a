// The proxy that the environment names for a cluster, by the rules of Go's clients, as kubectl has them.
import { BlockList, isIP } from "node:net";

/** HTTPS_PROXY unless NO_PROXY excepts the host; a loopback host never goes through a proxy. */
export function proxyOf(server: URL, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = (name: string) => env[name] || env[name.toLowerCase()] || undefined;
  const proxy = named(server.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (proxy === undefined) return undefined;
  const host = server.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = server.port || (server.protocol === "https:" ? "443" : "80");
  if (host === "localhost" || inRange(host, "127.0.0.0/8") || host === "::1") return undefined;
  const exceptions = (named("NO_PROXY") ?? "").split(",").map((one) => one.trim().toLowerCase());
  return exceptions.some((one) => one !== "" && covers(one, host, port)) ? undefined : proxy;
}

function covers(exception: string, host: string, port: string): boolean {
  if (exception === "*") return true;
  if (exception.includes("/")) return inRange(host, exception);
  const [, name = "", only] = /^(.*?)(?::(\d+))?$/.exec(exception) ?? [];
  const domain = isIP(exception) ? exception : name.replace(/^\*?\./, "");
  if (only !== undefined && !isIP(exception) && only !== port) return false;
  return host === domain || (!isIP(host) && host.endsWith(`.${domain}`));
}

function inRange(host: string, range: string): boolean {
  const [base = "", bits] = range.split("/");
  const family = isIP(base);
  if (family === 0 || family !== isIP(host) || !/^\d{1,3}$/.test(bits ?? "")) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), type);
  return list.check(host, type);
}
