// A base that has apt, made of Debian packages by the project's own private apt: nothing of it is executed here. Its apt is
// told what this machine's apt is told (sources, keys, proxies), so it reaches the same mirror, wherever that is.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { cacheFolder, placeFolder } from "../../lib/cache";
import { exec } from "../../lib/exec";
import type { RegistryClient } from "../../lib/oci/client";
import { sha256, shortDigest } from "../../lib/oci/digest";
import { manifestType } from "../../lib/oci/mediaTypes";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { mapRecord } from "../../lib/record";
import { describeLayer, packRoot } from "../../local/layers/base";
import { layoutOf } from "../../local/layout";
import { debianRelease, PrivateApt, unpack } from "../../local/toolchain/debian";
import { networkEnvironment } from "../../local/toolchain/network";

const packages = [
  "apt",
  "base-files",
  "bash",
  "ca-certificates",
  "coreutils",
  "dash",
  "debian-archive-keyring",
  "diffutils",
  "dpkg",
  "findutils",
  "grep",
  "gzip",
  "libc-bin",
  "sed",
  "tar",
];
/** Goes up with every change of what is made below. */
const recipe = 2;

/** How the base is told to differ. */
export interface AptBaseOptions {
  /** The USER of its configuration. */
  readonly user?: string;
  /** Lines that take the place of this machine's apt sources. */
  readonly sources?: string;
  /** More files, by path without leading slash. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Pushes the base to `repository` and returns `repository@digest`. The packages stay in the cache folder. */
export async function pushAptBase(
  client: RegistryClient,
  repository: string,
  { user, sources, files = {} }: AptBaseOptions = {},
): Promise<string> {
  const root = await unpackedPackages();
  const status = await readFile(join(root, "..", "status"));
  const tar = await packRoot(root, {
    ...machineFiles(),
    ...mapRecord(files, (text) => Buffer.from(text)),
    ...(sources === undefined ? machineSources() : { "etc/apt/sources.list.d/test.sources": Buffer.from(sources) }),
    "etc/passwd": Buffer.from(
      "root:x:0:0:root:/root:/bin/bash\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\nnonroot:x:65532:65532::/tmp:/bin/bash\n",
    ),
    "etc/group": Buffer.from("root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n"),
    "var/lib/dpkg/status": status,
    "var/lib/dpkg/info/format": Buffer.from("1\n"),
    "var/lib/dpkg/updates/.keep": Buffer.alloc(0),
    "var/log/.keep": Buffer.alloc(0),
    "var/cache/apt/archives/partial/.keep": Buffer.alloc(0),
  });
  const layer = gzipSync(tar, { level: 1 });
  const place = parseRepository(repository);
  const { config, manifest } = describeLayer(tar, layer, user === undefined ? {} : { User: user });
  await client.pushBlob(place, { digest: sha256(layer), size: layer.length }, { bytes: layer });
  await client.pushBlob(
    place,
    { digest: sha256(config), size: Buffer.byteLength(config) },
    { bytes: Buffer.from(config) },
  );
  const digest = await client.putManifest(place, sha256(manifest), Buffer.from(manifest), manifestType);
  return formatReference({ ...place, digest });
}

/** The versions of packages that this machine's mirror offers now. */
export async function offeredVersions<Name extends string>(...names: Name[]): Promise<Record<Name, string>> {
  const apt = new PrivateApt(layoutOf(process.cwd()), AbortSignal.timeout(300_000));
  try {
    const offered = await apt.download(names);
    return Object.fromEntries(offered.map(({ name, version }) => [name, version])) as Record<Name, string>;
  } finally {
    await apt.close();
  }
}

async function unpackedPackages(): Promise<string> {
  const folder = cacheFolder(
    "bases",
    `test-apt-${debianRelease()}-${shortDigest(sha256(JSON.stringify([recipe, packages])))}`,
  );
  if (existsSync(join(folder, "status"))) return join(folder, "root");
  const temporary = `${folder}.${process.pid}.tmp`;
  const apt = new PrivateApt(layoutOf(process.cwd()), AbortSignal.timeout(300_000));
  try {
    await mkdir(join(temporary, "root"), { recursive: true });
    const downloaded = await apt.downloadClosure(packages);
    const entries: string[] = [];
    for (const { file } of downloaded) {
      await unpack(file, join(temporary, "root"));
      const { stdout } = await exec("dpkg-deb", ["-f", file]);
      entries.push(`${stdout.replace(/^Package: .+$/m, "$&\nStatus: install ok installed").trim()}\n\n`);
    }
    await writeFile(join(temporary, "status"), entries.join(""));
    await placeFolder(temporary, folder, "status");
  } finally {
    await apt.close();
    await rm(temporary, { recursive: true, force: true });
  }
  return join(folder, "root");
}

/** Debian's sources of this machine; others may be out of reach. */
function machineSources(): Record<string, Buffer> {
  const files = ["/etc/apt/sources.list", ...below("/etc/apt/sources.list.d")].filter(
    (file) => /\.(list|sources)$/.test(file) && existsSync(file) && /\/debian/.test(readFileSync(file, "utf8")),
  );
  return contents(files);
}

/** What this machine's apt trusts, and how it goes to its sources. */
function machineFiles(): Record<string, Buffer> {
  const keys = ["/etc/apt/trusted.gpg.d", "/etc/apt/keyrings", "/usr/share/keyrings"].flatMap(below);
  const certificates = ["/etc/ssl/certs/ca-certificates.crt"].filter((file) => existsSync(file));
  return { ...contents([...keys, ...certificates]), "etc/apt/apt.conf.d/50machine": Buffer.from(machineOptions()) };
}

function below(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

function contents(files: readonly string[]): Record<string, Buffer> {
  return Object.fromEntries(files.map((file) => [file.slice(1), readFileSync(file)]));
}

function machineOptions(): string {
  const dump = execFileSync("apt-config", ["dump"], { encoding: "utf8" });
  const own = dump.split("\n").filter((line) => /^Acquire::(Check-|https?::|Max-FutureTime|ForceIPv4)/.test(line));
  const proxies = Object.entries(networkEnvironment()).flatMap(([name, value]) => {
    const scheme = /^(https?)_proxy$/i.exec(name)?.[1]?.toLowerCase();
    return scheme ? [`Acquire::${scheme}::Proxy "${value}";`] : [];
  });
  return `${[...own, ...proxies, 'Acquire::Languages "none";'].join("\n")}\n`;
}
