// A certificate authority that no machine knows, and a certificate of it for one name or address, made by openssl.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../lib/exec";

export interface Authority {
  /** The authority's own certificate: what NODE_EXTRA_CA_CERTS names. */
  readonly file: string;
  readonly certificate: string;
  readonly key: string;
  remove(): void;
}

export async function makeAuthority(name: string): Promise<Authority> {
  const dir = mkdtempSync(join(tmpdir(), "authority-"));
  const at = (file: string) => join(dir, file);
  const openssl = async (...args: string[]) => {
    const { code, stderr } = await exec("openssl", args, { cwd: dir });
    if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=Acme CA");
  await openssl("req", ...newKey, "-keyout", "server.key", "-out", "server.csr", "-subj", `/CN=${name}`);
  writeFileSync(at("names"), `subjectAltName=${isIP(name) ? "IP" : "DNS"}:${name}\n`);
  const sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
  await openssl(...sign, "-days", "2", "-extfile", "names", "-out", "server.crt");
  return {
    file: at("ca.crt"),
    certificate: at("server.crt"),
    key: at("server.key"),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
