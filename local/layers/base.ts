// The base image of the local stack: bash, a shell, core utilities, curl and CA certificates out of Debian packages, as one
// gzipped layer. Nothing of the packages is executed, so what their scripts would do is done here.
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { placeFolder } from "../../lib/cache";
import { canonicalJson } from "../../lib/canonicalJson";
import { exec } from "../../lib/exec";
import { sha256 } from "../../lib/oci/digest";
import type { Layout } from "../layout";
import { type DebianPackage, debianRelease, type PrivateApt, unpack } from "../toolchain/debian";

/** What users and CI jobs may expect in the image. */
const packages = [
  "base-files",
  "bash",
  "ca-certificates",
  "coreutils",
  "curl",
  "dash",
  "findutils",
  "grep",
  "gzip",
  // For spectral, whose Node is linked with it.
  "libstdc++6",
  "sed",
  "tar",
];
/** Dependencies that only maintainer scripts need: no script runs, and they are half of the bytes. */
const leftOut = new Set(["debconf", "dpkg", "openssl", "perl-base"]);
/** Documentation, translations, caches and logs. */
const dropped =
  /^(usr\/share\/(doc|man|info|locale|lintian|bash-completion|menu|common-licenses|doc-base|bug)|var\/(cache|log)|usr\/lib\/[^/]+\/gconv)(\/|$)/;
/** Raise it when the code below makes other bytes of the same facts: both are in the cache's key. */
const recipe = 1;
/** Written last. */
const baseMark = "packages.json";

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const files: Readonly<Record<string, string>> = {
  "etc/passwd":
    "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\nnonroot:x:65532:65532:nonroot:/tmp:/bin/bash\n",
  "etc/group": "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n",
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};
const links: Readonly<Record<string, string>> = {
  bin: "usr/bin",
  sbin: "usr/sbin",
  lib: "usr/lib",
  lib64: "usr/lib64",
  "usr/bin/sh": "dash",
  "usr/bin/awk": "mawk",
  "usr/bin/which": "which.debianutils",
};
const folders: Readonly<Record<string, number>> = {
  tmp: 0o1777,
  "var/tmp": 0o1777,
  root: 0o700,
  proc: 0o755,
  sys: 0o755,
  dev: 0o755,
};

/** A made base in the cache folder. */
export interface Base {
  readonly layer: string;
  readonly config: string;
  readonly manifest: string;
  /** For the screen: `bash 5.2.15-2+b13`. */
  readonly packages: Readonly<Record<string, string>>;
}

/** The folder of the base in the cache, there or not. It stays as it is until the cache is cleaned: new package versions are a new base. */
export function baseFolder(layout: Layout, release = debianRelease()): string {
  const facts = {
    recipe,
    packages,
    release,
    leftOut: [...leftOut],
    dropped: dropped.source,
    files,
    links,
    folders,
    path,
  };
  const key = sha256(canonicalJson(facts)).slice(7, 19);
  return join(layout.cache.bases, `${release}-${key}`);
}

export async function readBase(folder: string): Promise<Base | undefined> {
  if (!existsSync(join(folder, baseMark))) return undefined;
  return {
    layer: join(folder, "layer.tar.gz"),
    config: join(folder, "config.json"),
    manifest: join(folder, "manifest.json"),
    packages: JSON.parse(await readFile(join(folder, baseMark), "utf8")),
  };
}

/** Downloads the packages and makes the base; moved into place by rename. */
export async function makeBase(layout: Layout, apt: PrivateApt): Promise<Base> {
  const folder = baseFolder(layout);
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  const root = join(temporary, "root");
  await mkdir(root, { recursive: true });
  try {
    const downloaded = (await apt.downloadClosure(packages)).filter(({ name }) => !leftOut.has(name));
    for (const { file } of downloaded) await unpack(file, root);
    const tar = await packRoot(root, await extraFiles(root, downloaded));
    const gzipped = gzipSync(tar);
    const image = describeLayer(tar, gzipped);
    await writeFile(join(temporary, "layer.tar.gz"), gzipped);
    await writeFile(join(temporary, "config.json"), image.config);
    await writeFile(join(temporary, "manifest.json"), image.manifest);
    const versions = Object.fromEntries(downloaded.map(({ name, version }) => [name, version]));
    await writeFile(join(temporary, baseMark), `${canonicalJson(versions)}\n`);
    await rm(root, { recursive: true });
    await placeFolder(temporary, folder, baseMark);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return (await readBase(folder))!;
}

/** What maintainer scripts would have written, and the package list that scanners read. */
async function extraFiles(root: string, downloaded: readonly DebianPackage[]): Promise<Record<string, Buffer>> {
  const certificates = join(root, "usr/share/ca-certificates/mozilla");
  const bundle = await Promise.all(
    (await readdir(certificates)).sort().map((name) => readFile(join(certificates, name), "utf8")),
  );
  const status = await Promise.all(
    downloaded.map(async ({ file }) => {
      const { stdout } = await exec("dpkg-deb", ["-f", file]);
      return stdout.replace(/^Package: .+$/m, "$&\nStatus: install ok installed");
    }),
  );
  return {
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)])),
    "etc/ssl/certs/ca-certificates.crt": Buffer.from(bundle.map((text) => `${text.trim()}\n`).join("")),
    "var/lib/dpkg/status": Buffer.from(status.map((text) => `${text.trim()}\n\n`).join("")),
  };
}

type Entry =
  | { type: "directory"; mode: number }
  | { type: "symlink"; to: string }
  | { type: "file"; mode: number; bytes: Buffer };

/** A tar that is a function of the content alone: sorted, uid 0, zero times, modes 0755 and 0644. */
export async function packRoot(root: string, extra: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const entries = new Map<string, Entry>();
  await walk(root, "", entries);
  for (const [name, bytes] of Object.entries(extra)) entries.set(name, { type: "file", mode: 0o644, bytes });
  for (const [name, to] of Object.entries(links)) entries.set(name, { type: "symlink", to });
  for (const [name, mode] of Object.entries(folders)) entries.set(name, { type: "directory", mode });
  for (const name of [...entries.keys()]) addParents(name, entries);

  const tar = pack();
  const chunks: Buffer[] = [];
  tar.on("data", (chunk) => chunks.push(chunk as Buffer));
  const ended = new Promise<void>((resolve, reject) => tar.on("end", () => resolve()).on("error", reject));
  for (const name of [...entries.keys()].sort()) {
    const entry = entries.get(name)!;
    const header = { name, uid: 0, gid: 0, mtime: new Date(0) };
    if (entry.type === "file") tar.entry({ ...header, mode: entry.mode }, entry.bytes);
    else if (entry.type === "symlink") tar.entry({ ...header, type: "symlink", linkname: entry.to, mode: 0o777 });
    else tar.entry({ ...header, type: "directory", mode: entry.mode });
  }
  tar.finalize();
  await ended;
  return Buffer.concat(chunks);
}

async function walk(root: string, folder: string, entries: Map<string, Entry>): Promise<void> {
  for (const name of (await readdir(join(root, folder))).sort()) {
    const source = folder === "" ? name : `${folder}/${name}`;
    const target = merged(source);
    if (dropped.test(target)) continue;
    const stat = await lstat(join(root, source));
    if (stat.isDirectory()) {
      if (!(target in links)) entries.set(target, { type: "directory", mode: 0o755 });
      await walk(root, source, entries);
    } else if (stat.isSymbolicLink()) entries.set(target, { type: "symlink", to: await readlink(join(root, source)) });
    else if (stat.isFile()) {
      entries.set(target, {
        type: "file",
        mode: stat.mode & 0o111 ? 0o755 : 0o644,
        bytes: await readFile(join(root, source)),
      });
    }
  }
}

/** Packages still ship files below /bin and /lib, which are links into /usr on every Debian that runs. */
function merged(name: string): string {
  return name.replace(/^(bin|sbin|lib|lib64)\//, "usr/$1/");
}

function addParents(name: string, entries: Map<string, Entry>): void {
  for (let end = name.lastIndexOf("/"); end > 0; end = name.lastIndexOf("/", end - 1)) {
    const parent = name.slice(0, end);
    if (!entries.has(parent)) entries.set(parent, { type: "directory", mode: 0o755 });
  }
}

/** Configuration and manifest of an image of one gzipped layer; `extra` joins what its containers are started with. */
export function describeLayer(
  tar: Buffer,
  gzipped: Buffer,
  extra: { readonly User?: string } = {},
): { config: string; manifest: string } {
  const config = canonicalJson({
    architecture: "amd64",
    config: { Cmd: ["/bin/bash"], Env: [`PATH=${path}`], ...extra },
    created: "1970-01-01T00:00:00Z",
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "policy-platform local base" }],
    os: "linux",
    rootfs: { diff_ids: [sha256(tar)], type: "layers" },
  });
  const manifest = canonicalJson({
    config: {
      digest: sha256(config),
      mediaType: "application/vnd.oci.image.config.v1+json",
      size: Buffer.byteLength(config),
    },
    layers: [
      { digest: sha256(gzipped), mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", size: gzipped.length },
    ],
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    schemaVersion: 2,
  });
  return { config, manifest };
}
