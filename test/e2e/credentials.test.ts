// Logins of a stack on registries that ask for them: a docker config, a credential helper, Google's default credentials. They work, and stand
// nowhere afterwards. stand-in: Docker Hub, Artifact Registry and the metadata server are of this machine, with a real registry behind.
import assert from "node:assert/strict";
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { type Authority, makeAuthority } from "../support/authority";
import { createProject, type Project, type ProjectStack } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import type { ScriptedServer } from "../support/scriptedServer";
import { formsOf, textsBelow, watchArguments } from "../support/secrets";
import { smallConfiguration } from "../support/smallStack";
import {
  googleHost,
  type StandInGoogle,
  serviceAccountKey,
  startStandInGoogle,
  startTokenRegistry,
} from "../support/standInGoogle";
import { type StandInHub, startStandInHub } from "../support/standInHub";

/** Everything secret has this word in it: passwords, tokens, what token servers give. */
const canary = "canary";
const verbose = ["--logtostderr", "--logflow", "-v=9"];

describe("stand-in: the login of a stack", function () {
  this.timeout(180_000);
  let behind: TestRegistry;
  let hub: StandInHub;
  let authority: Authority;
  let google: StandInGoogle;
  let artifactRegistry: ScriptedServer;
  let project: Project;
  let prod: ProjectStack;
  let cloud: ProjectStack;
  let dir: string;
  const texts = new Map<string, string>();

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "logins-"));
    behind = await startRegistry({ relativeUrls: true });
    hub = await startStandInHub(behind.host);
    authority = await makeAuthority(googleHost);
    google = await startStandInGoogle();
    artifactRegistry = await startTokenRegistry(() => google.token, { forwardTo: behind.host, tls: authority });
    project = await createProject({
      ...(await smallConfiguration(behind.host)),
      "policy-platform:registry": { kind: "existing", address: `${hub.host}/acme`, separator: "-" },
    });
  });
  after(async () => {
    project?.remove();
    authority?.remove();
    for (const server of [artifactRegistry, google, hub, behind]) await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Runs with these variables, and keeps what is printed and what runs beside. */
  async function run(stack: Pick<ProjectStack, "with">, env: Record<string, string>, ...args: string[]) {
    const name = `${args.join(" ")} (${texts.size})`;
    const watch = watchArguments();
    try {
      const result = await stack.with(env).pulumi(...args);
      texts.set(`output of ${name}`, result.stdout);
      texts.set(`log of ${name}`, result.stderr);
      return result;
    } finally {
      texts.set(`arguments during ${name}`, [...watch.stop()].join("\n"));
    }
  }
  /** Without the verbose log, which hides what failed. */
  const succeeds = async (running: ReturnType<typeof run>) => {
    const { code, stdout, stderr } = await running;
    assert.equal(code, 0, `${stdout}\n${stderr.replace(/^\{"time".*$/gm, "")}`);
  };
  const config = (name: string, content: unknown) => {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, "config.json"), JSON.stringify(content));
    return { DOCKER_CONFIG: join(dir, name) };
  };
  const tags = async (path: string) => (await new RegistryClient().tags({ registry: behind.host, path })).sort();

  /** What promotes the last release of the first stack. */
  const promotion = async () => {
    const { image, version } = await project.outputs();
    return {
      from: image.repository.replace(hub.host, behind.host),
      version,
      digest: image.digest,
      commit: image.tags[0].replace(/^sha-/, ""),
    };
  };
  /** Under the name of Artifact Registry its stand-in is reached. */
  const reachGoogle = () => ({
    NODE_OPTIONS: `--require ${join(__dirname, "../support/standInHosts.cjs")}`,
    POLICY_PLATFORM_TEST_HOSTS: `${googleHost}:443=${artifactRegistry.host}`,
  });

  it("from the docker config makes the first release on Docker Hub, in repositories of two levels that are not there yet", async () => {
    const auth = Buffer.from("acme:canary-token").toString("base64");
    const env = config("file", { auths: { [hub.host]: { auth } } });
    await succeeds(run(project, env, "preview"));
    await succeeds(run(project, env, "up", "--yes", "--skip-preview", ...verbose));
    assert.match((await tags("acme/releases-policy-platform")).join(" "), /^latest sha-\S+ v1\.0\.0$/);
    await succeeds(run(project, env, "up", "--yes", "--skip-preview", "--expect-no-changes"));
    assert.ok(hub.lines().every((line) => !/\/v2\/acme\/[^/]+\/[^/]+\/(blobs|manifests|tags)\//.test(line)));
  });

  it("from a credential helper makes the next release", async () => {
    const helper = join(dir, "docker-credential-acme");
    writeFileSync(helper, `#!/bin/sh\ncat >/dev/null\necho '{"Username":"acme","Secret":"canary-token"}'\n`);
    chmodSync(helper, 0o755);
    const env = { ...config("helper", { credHelpers: { [hub.host]: "acme" } }), PATH: `${dir}:${process.env.PATH}` };
    appendFileSync(join(project.dir, "policies/security-policy/policies/disallow-latest-tag.yaml"), "# edited\n");
    await succeeds(run(project, env, "up", "--yes", ...verbose));
    assert.ok((await tags("acme/releases-policy-platform")).includes("v1.0.1"));
  });

  it("from Google's default credentials promotes to Artifact Registry, whose certificate comes from an own authority", async () => {
    prod = await project.addStack("prod", {
      "policy-platform:registry": { kind: "existing", address: `${googleHost}/acme-prod` },
      "policy-platform:promotion": await promotion(),
    });
    const onMachine = { DOCKER_CONFIG: join(dir, "none"), ...reachGoogle() };
    const untrusted = await run(prod, onMachine, "preview");
    assert.notEqual(untrusted.code, 0);
    assert.match(
      untrusted.stdout + untrusted.stderr,
      /the certificate of europe-west1-docker\.pkg\.dev is not trusted/,
    );

    const trusted = { ...onMachine, NODE_EXTRA_CA_CERTS: authority.file };
    const nobody = await run(prod, { ...trusted, METADATA_SERVER_DETECTION: "none" }, "preview");
    assert.notEqual(nobody.code, 0);
    assert.match(nobody.stdout + nobody.stderr, /gcloud auth application-default login, or workload identity/);

    const inCloud = { ...trusted, GCE_METADATA_HOST: google.host };
    await succeeds(run(prod, inCloud, "preview"));
    await succeeds(run(prod, inCloud, "up", "--yes", "--skip-preview", ...verbose));
    assert.match((await tags("acme-prod/releases/policy-platform")).join(" "), /^latest sha-\S+ v1\.0\.1$/);
    await succeeds(run(prod, inCloud, "up", "--yes", "--skip-preview", "--expect-no-changes"));
  });

  it("from a service account's key in the docker config promotes to an Artifact Registry that the stack declares", async () => {
    cloud = await project.addStack("cloud", {
      "policy-platform:registry": { kind: "artifactRegistry", project: "acme-cloud", location: "europe-west1" },
      "policy-platform:promotion": await promotion(),
    });
    const auth = Buffer.from(`_json_key:${serviceAccountKey}`).toString("base64");
    const env = {
      ...config("key", { auths: { [googleHost]: { auth } } }),
      ...reachGoogle(),
      NODE_EXTRA_CA_CERTS: authority.file,
      METADATA_SERVER_DETECTION: "none",
      GOOGLE_CREDENTIALS: serviceAccountKey, // where the official plugin looks for one
    };
    await succeeds(run(cloud, env, "preview"));
    await succeeds(run(cloud, env, "up", "--yes", "--skip-preview", ...verbose));
    assert.match((await tags("acme-cloud/policy-releases/policy-platform")).join(" "), /^latest sha-\S+ v1\.0\.1$/);
    await succeeds(run(cloud, env, "up", "--yes", "--skip-preview", "--expect-no-changes"));
  });

  it("stands in no state, output, log or argument, and in no layer, configuration or history of an image", async () => {
    await succeeds(run(project, {}, "stack", "export", "--show-secrets"));
    await succeeds(run(prod, {}, "stack", "export", "--show-secrets"));
    await succeeds(run(cloud, {}, "stack", "export", "--show-secrets"));
    const folders = [".local/state", ".local/google-cloud", ".policy-platform"].map((name) => join(project.dir, name));
    for (const folder of [...folders, behind.dir]) for (const [path, text] of textsBelow(folder)) texts.set(path, text);
    const places = [...texts.keys()];
    for (const kind of [
      /stacks\/policy-platform\/prod\.json$/,
      /stacks\/policy-platform\/cloud\.json$/,
      /google-cloud\/acme-cloud\/.*\/repository\.json$/,
      /Dockerfile$/,
      /blobs\/sha256\/.*\/data$/,
      /^log of up/,
    ])
      assert.ok(
        places.some((place) => kind.test(place)),
        `nothing was looked at like ${kind}`,
      );
    assert.ok(
      [...texts].some(([place, text]) => place.startsWith("arguments during") && text.includes("pulumi-resource-")),
    );
    assert.ok(
      [...texts].some(([place, text]) => place.startsWith("log of up") && text.length > 100_000),
      "the log is verbose",
    );
    for (const before of ["", "a", "acme:"]) {
      const hidden = Buffer.from(`${before}canary-token`).toString("base64");
      assert.ok(
        formsOf(canary).some((form) => hidden.includes(form)),
        `${hidden} would not be found`,
      );
    }
    for (const [place, text] of texts)
      for (const form of formsOf(canary)) assert.ok(!text.includes(form), `${form} stands in ${place}`);
  });
});
