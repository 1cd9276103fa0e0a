// stand-in: Google's token servers on loopback, and a registry that takes their tokens as Artifact Registry does.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ScriptedAnswer, type ScriptedServer, startScriptedServer } from "./scriptedServer";

/** A host that takes Google's tokens; nothing is ever sent to it. */
export const googleHost = "europe-west1-docker.pkg.dev";

/** Answers what `gcloud`'s servers and the metadata server answer; `token` may change between requests. */
export interface StandInGoogle extends ScriptedServer {
  /** Seconds; default 3600. */
  expiresIn: number;
  token: string;
  /** Instead of a token. */
  refusal?: ScriptedAnswer;
}

export async function startStandInGoogle(token = "ya29.canary-token"): Promise<StandInGoogle> {
  const state = { token, expiresIn: 3600, refusal: undefined as ScriptedAnswer | undefined };
  const json = (value: unknown): ScriptedAnswer => ({
    headers: { "content-type": "application/json", "metadata-flavor": "Google" },
    body: JSON.stringify(value),
  });
  const server = await startScriptedServer(({ path }) => {
    if (/^\/computeMetadata\/v1\/instance\/?$/.test(path)) return json({});
    if (state.refusal) return state.refusal;
    if (path.includes(":generateAccessToken")) {
      const expireTime = new Date(Date.now() + state.expiresIn * 1000).toISOString();
      return json({ accessToken: `${state.token}-impersonated`, expireTime });
    }
    return json({
      access_token: state.token,
      expires_in: state.expiresIn,
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
    });
  });
  return Object.assign(state, server);
}

/** Files of credentials as Google's tools write them, in a folder of their own. */
export interface GoogleFiles {
  readonly dir: string;
  /** Writes a file and returns its path. */
  write(name: string, content: unknown): string;
  /** Of workload identity federation, with the subject's token in a file; `impersonate`: as a service account. */
  externalAccount(tokenServer: string, impersonate?: boolean): string;
  authorizedUser(): string;
  serviceAccount(): string;
  remove(): void;
}

export function googleFiles(): GoogleFiles {
  const dir = mkdtempSync(join(tmpdir(), "google-files-"));
  const write = (name: string, content: unknown) => {
    const path = join(dir, name);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
  return {
    dir,
    write,
    externalAccount: (tokenServer, impersonate = false) =>
      write("external.json", {
        type: "external_account",
        audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/ci",
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        token_url: `http://${tokenServer}/v1/token`,
        credential_source: { file: write("subject", "canary-subject-token") },
        ...(impersonate && {
          service_account_impersonation_url: `http://${tokenServer}/v1/projects/-/serviceAccounts/ci@acme.example:generateAccessToken`,
        }),
      }),
    authorizedUser: () =>
      write("user.json", {
        type: "authorized_user",
        client_id: "id",
        client_secret: "canary-client-secret",
        refresh_token: "canary-refresh-token",
      }),
    serviceAccount() {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      return write("key.json", {
        type: "service_account",
        client_email: "ci@acme.example",
        private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      });
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** The key of a service account, as it is downloaded; nobody signs with this one. */
export const serviceAccountKey = JSON.stringify({
  type: "service_account",
  client_email: "ci@acme-cloud.iam.gserviceaccount.com",
  private_key_id: "canary-key-id",
  private_key: "-----BEGIN PRIVATE KEY-----\ncanary-private-key\n-----END PRIVATE KEY-----\n",
});

/**
 * A registry that gives a bearer token for `oauth2accesstoken:<token>` and for `_json_key:<key>` alone. In front of `behind`, over
 * TLS, it holds what that one holds; by itself it has one tag everywhere.
 */
export async function startTokenRegistry(
  accepted: () => string,
  behind?: { readonly forwardTo: string; readonly tls: { readonly certificate: string; readonly key: string } },
): Promise<ScriptedServer> {
  const server: ScriptedServer = await startScriptedServer(
    ({ path, headers }) => {
      const logins = [`oauth2accesstoken:${accepted()}`, `_json_key:${serviceAccountKey}`];
      const basics = logins.map((login) => `Basic ${Buffer.from(login).toString("base64")}`);
      if (path.startsWith("/v2/token"))
        return basics.includes(headers.authorization ?? "")
          ? { body: '{"token":"canary-registry-token"}' }
          : { status: 401 };
      if (headers.authorization === "Bearer canary-registry-token")
        return behind ? "forward" : { body: '{"tags":["v1.0.0"]}' };
      const origin = behind ? `https://${googleHost}` : `http://${server.host}`;
      return {
        status: 401,
        headers: { "www-authenticate": `Bearer realm="${origin}/v2/token",service="${googleHost}"` },
      };
    },
    { ...behind, keepBodies: false },
  );
  return server;
}
