// Completes package-lock.json after `npm install`: a package mirror that lacks the optional binaries of other platforms
// leaves them out of the lock, and then `npm ci` refuses it everywhere. They are never installed on linux/amd64, so an
// entry with version and platform is enough. docs/decisions/0020-complete-lock-file.md
import { readFileSync, writeFileSync } from "node:fs";

const path = "package-lock.json";
const lock = JSON.parse(readFileSync(path, "utf8"));
const systems = ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "aix", "win32"];
const processors = ["arm64", "x64", "arm", "ia32", "ppc64", "riscv64", "s390x", "loong64", "mips64el", "wasm32"];

for (const { optionalDependencies = {}, dev } of Object.values(lock.packages))
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    const words = name.split(/[/-]/);
    const system = systems.find((os) => words.includes(os));
    const processor = processors.find((cpu) => words.includes(cpu));
    if (lock.packages[key] || !system || !processor || !/^\d/.test(version)) continue;
    const libc = words.includes("musl") || words.includes("musleabihf") ? { libc: ["musl"] } : {};
    lock.packages[key] = { version, cpu: [processor], ...(dev ? { dev } : {}), ...libc, optional: true, os: [system] };
  }

lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
