// Where a registry is reached, and which hosts may be spoken to without TLS.
import { BlockList, isIP } from "node:net";
import type { Repository } from "./reference";

/**
 * True for what never leaves this machine: localhost, 127.0.0.0/8 and [::1], with or without a port. Names below `.localhost`
 * do not count: some resolvers ask the network for them.
 */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:[0-9]+$/, "").toLowerCase();
  return name === "localhost" || name === "[::1]" || (isIP(name) === 4 && name.startsWith("127."));
}

/** Loopback, private, link-local and shared ranges (RFC 1122, 1918, 3927, 6598, 4193, 4291). */
const insideRanges = new BlockList();
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const)
  insideRanges.addSubnet(net, prefix, "ipv4");
for (const [net, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
] as const)
  insideRanges.addSubnet(net, prefix, "ipv6");

/**
 * True for addresses that only this machine or its network has. `hostname` is a URL's, which writes every form of an IPv4
 * address in one way; other names are not looked up.
 */
export function isInside(hostname: string): boolean {
  const name = hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const kind = isIP(name);
  return kind === 0 ? /(^|\.)localhost$/.test(name) : insideRanges.check(name, kind === 4 ? "ipv4" : "ipv6");
}

/** True where plain http is allowed: on loopback, and for hosts that the user listed, port included. */
export function allowsPlainHttp(host: string, insecure: readonly string[]): boolean {
  return isLoopback(host) || insecure.includes(host.toLowerCase());
}

/** Docker Hub's names; references have the first two, the API the last. */
export const dockerHubHosts: readonly string[] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/** The address of a registry's API. Docker Hub's lives under another name than its references. */
export function registryOrigin(registry: string, insecure: readonly string[]): URL {
  const host = dockerHubHosts.includes(registry) ? dockerHubHosts[2]! : registry;
  return new URL(`${allowsPlainHttp(host, insecure) ? "http" : "https"}://${host}`);
}

/** True for two names of one registry: a host may be written in any case, with its port or not, and Docker Hub has several. */
export function isSameRegistry(one: string, other: string): boolean {
  return commonName(one) === commonName(other);
}

/** True for two names of one repository. */
export function isSameRepository(one: Repository, other: Repository): boolean {
  return one.path === other.path && isSameRegistry(one.registry, other.registry);
}

function commonName(registry: string): string {
  const host = registry.toLowerCase();
  const name = host.replace(isLoopback(host) ? /:80$/ : /:443$/, "");
  return dockerHubHosts.includes(name) ? dockerHubHosts[0]! : name;
}

/**
 * Why `to` must not be followed from `from`, or undefined. Plain http is followed only from plain http: a registry reached
 * over TLS can neither downgrade a conversation nor steer us to something that listens on this machine.
 */
export function refuseHop(from: URL, to: URL, insecure: readonly string[]): string | undefined {
  if (to.username !== "" || to.password !== "") return "the address holds a user name";
  if (to.protocol === "https:") return undefined;
  if (to.protocol !== "http:") return `${to.protocol} is neither http nor https`;
  if (from.protocol === "https:") return "it leads from https to plain http";
  return allowsPlainHttp(to.host, insecure)
    ? undefined
    : `plain http to ${to.host}, which is neither on this machine nor listed as insecure`;
}
