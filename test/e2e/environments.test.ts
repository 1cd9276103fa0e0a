// The committed stack files through the real engine, as far as a machine without a cloud can: registry, base and downloads are on
// loopback, and `clusters` is taken out, as theirs are not in reach. Everything else is what the files say.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Document, parse, parseDocument } from "yaml";
import { exec } from "../../lib/exec";
import { mapRecord } from "../../lib/record";
import { keepVariables } from "../support/environment";
import { golden } from "../support/golden";
import { createProject, expectSuccess, type Project, preparedPins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ReleaseServer, startReleaseServer } from "../support/releaseServer";
import { screen } from "../support/screen";
import { run } from "../unit/cli/run";

const root = join(__dirname, "..", "..");
const edited = "policies/security-policy/policies/disallow-latest-tag.yaml";

/** The committed file of a stack with other values. Keys are spelled as in the file, without the namespace. */
function repinned(
  stack: string,
  change: (at: (first: string, ...rest: string[]) => string[], file: Document) => void,
): string {
  const file = parseDocument(readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8"));
  change((first, ...rest) => ["config", `policy-platform:${first}`, ...rest], file);
  return file.toString({ lineWidth: 0 });
}

describe("stand-in: the committed stacks dev and prod, re-pinned to loopback", function () {
  this.timeout(900_000);
  let registries: { dev: TestRegistry; prod: TestRegistry };
  let releases: ReleaseServer;
  let project: Project;
  let restore: () => void;
  /** What is downloaded here has the addresses of published files, and other bytes. */
  let cache: string;

  before(async () => {
    restore = keepVariables();
    cache = mkdtempSync(join(tmpdir(), "environments-cache-"));
    process.env.XDG_CACHE_HOME = cache;
    registries = { dev: await startRegistry(), prod: await startRegistry() };
    releases = await startReleaseServer(mapRecord(committed("dev").tools, ({ release }: any) => release.url));
    project = await createProject({});
    project.write("Pulumi.dev.yaml", devOnLoopback());
    project.write("Pulumi.prod.yaml", prodOnLoopback());
    for (const stack of ["dev", "prod"]) await expectSuccess(pulumi("stack", "init", stack));
    await project.commit("Add the stacks");
  });
  after(async () => {
    restore();
    rmSync(cache, { recursive: true });
    project?.remove();
    await releases?.stop();
    for (const registry of Object.values(registries ?? {})) await registry.stop();
  });

  const committed = (stack: string) =>
    Object.fromEntries(
      Object.entries(parse(readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8")).config).map(([key, value]) => [
        key.replace("policy-platform:", ""),
        value,
      ]),
    ) as Record<string, any>;

  /** No Alpine mirror is in reach, so the prepared base stands there, with bash and without packages; the checksums are those of the published files. */
  const devOnLoopback = () =>
    repinned("dev", (at, file) => {
      file.setIn(at("registry", "address"), registries.dev.host);
      file.setIn(at("base", "image"), preparedPins()["policy-platform:base"].image);
      file.deleteIn(at("base", "packages"));
      file.deleteIn(at("clusters"));
      for (const name of Object.keys(committed("dev").tools)) file.deleteIn(at("tools", name, "release", "sha256"));
      file.setIn(at("mirrors"), file.createNode(releases.mirrors));
    });
  const prodOnLoopback = () =>
    repinned("prod", (at, file) => {
      file.setIn(at("registry", "address"), registries.prod.host);
      file.setIn(at("promotion", "from"), `${registries.dev.host}/policy-releases/policy-platform`);
      file.deleteIn(at("clusters"));
    });

  const pulumiWith = (env: Readonly<Record<string, string>>, ...args: string[]) =>
    exec("pulumi", [...args, "--non-interactive", "--color", "never"], {
      cwd: project.dir,
      env: { ...project.env, XDG_CACHE_HOME: cache, ...env },
      timeout: 600_000,
    });
  const pulumi = (...args: string[]) => pulumiWith({}, ...args);
  const policyPlatform = async (line: string) => {
    const [program, ...args] = line.split(" ");
    assert.equal(program, "policy-platform");
    const ran = await run(...args, "--cwd", project.dir);
    assert.equal(ran.code, 0, `${line}\n${ran.stdout}${ran.stderr}`);
    return ran;
  };
  /** The lines that `check` names, each once. */
  const openLines = async (stack: string) => {
    const { data } = await run("check", "-o", "json", "--stack", stack, "--cwd", project.dir);
    const { problems, unpinned } = data as Record<string, { fix: string }[]>;
    return [...new Set([...problems!, ...unpinned!].map(({ fix }) => fix))];
  };
  const named = (output: string) =>
    screen(output.replaceAll(registries.prod.host, "<prod>"), registries.dev.host).replaceAll("<registry>", "<dev>");
  const preview = async (stack: string) => named((await expectSuccess(pulumi("preview", "-s", stack))).stdout);
  const up = (stack: string, env = {}) => expectSuccess(pulumiWith(env, "up", "--yes", "--skip-preview", "-s", stack));
  const outputs = async (stack: string) =>
    JSON.parse((await expectSuccess(pulumi("stack", "output", "--json", "-s", stack))).stdout);

  const digestAt = async (repository: string, tag: string) => {
    const args = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${repository}:${tag}`];
    return (await expectSuccess(exec("skopeo", args))).stdout.trim();
  };

  it("are complete when the lines that check names have been run", async () => {
    const pins = ["kyverno", "yq", "pluto", "helm", "spectral"].map(
      (name) => `policy-platform pin ${name} --stack dev`,
    );
    assert.deepEqual((await openLines("dev")).sort(), [...pins].sort());
    for (const line of pins) await policyPlatform(line);
    assert.deepEqual(await openLines("dev"), []);
    assert.deepEqual(await openLines("prod"), ["policy-platform promote dev prod"]);
    await project.commit("Pin what only downloads tell");
  });

  it("preview the first release of dev as release notes, and release it", async () => {
    golden("screens/environments-dev-first.golden", await preview("dev"));
    await up("dev");
    const { version, image, gate } = await outputs("dev");
    assert.equal(version, "v1.0.0");
    assert.equal(image.repository, `${registries.dev.host}/policy-releases/policy-platform`);
    assert.equal(gate.passed, true);
  });

  it("preview what prod takes as release notes, and take it by the same digest, without Docker", async () => {
    await policyPlatform("policy-platform promote dev prod");
    assert.deepEqual(await openLines("prod"), []);
    golden("screens/environments-prod-first.golden", await preview("prod"));
    await up("prod", { DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    const [dev, prod] = [await outputs("dev"), await outputs("prod")];
    const [{ image: source }, { image, version }] = [dev, prod];
    assert.equal(version, "v1.0.0");
    assert.deepEqual([image.digest, image.tags], [source.digest, source.tags]);
    for (const environment of ["dev", "production"])
      assert.equal(prod.artifacts[environment].digest, dev.artifacts[environment].digest);
    assert.match(image.tags[0], /^sha-[0-9a-f]{12}$/);
    for (const tag of image.tags) {
      assert.equal(await digestAt(source.repository, tag), source.digest);
      assert.equal(await digestAt(image.repository, tag), source.digest);
    }
  });

  it("preview an edited policy in dev as what it changes and which version that makes", async () => {
    appendFileSync(join(project.dir, edited), "# edited\n");
    await project.commit("Edit a policy");
    golden("screens/environments-dev-next.golden", await preview("dev"));
  });

  it("have nothing more to do in prod", async () => {
    const { stdout } = await expectSuccess(pulumi("preview", "--expect-no-changes", "-s", "prod"));
    assert.match(stdout, /is promoted: nothing to do/);
  });

  it("keep the comments of both files through pin, promote and the engine", () => {
    for (const stack of ["dev", "prod"]) {
      const text = readFileSync(join(project.dir, `Pulumi.${stack}.yaml`), "utf8");
      const comments = (of: string) => of.match(/^ *#.*$/gm) ?? [];
      assert.deepEqual(comments(text), comments(stack === "dev" ? devOnLoopback() : prodOnLoopback()));
      assert.match(text, /^encryptionsalt: /m);
    }
  });
});
