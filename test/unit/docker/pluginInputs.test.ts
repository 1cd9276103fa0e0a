// What docker.Image makes of its inputs before anything is built: defaults, the context's digest, refusals, and the diff.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextDigest } from "../../../local/plugins/docker/contextDigest";
import { diffImage } from "../../../local/plugins/docker/image";
import { checkImage } from "../../../local/plugins/docker/inputs";
import { isSecret, secret, UNKNOWN, type Values } from "../../../provider/host";

const sha = (text: string) => createHash("sha256").update(text).digest();

describe("inputs of docker.Image", () => {
  let dir: string;
  const start = process.cwd();

  beforeEach(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), "context-")));
    process.chdir(dir);
    mkdirSync("app");
    write("app/Dockerfile", "FROM scratch\n");
  });
  afterEach(() => {
    process.chdir(start);
    rmSync(dir, { recursive: true });
  });

  const write = (path: string, text: string) => {
    writeFileSync(path, text);
    chmodSync(path, 0o644);
  };
  const check = async (news: Values) => {
    const notes: string[] = [];
    const { inputs, failures = [] } = await checkImage({ imageName: "127.0.0.1:5000/x:1", ...news }, (text) =>
      notes.push(text),
    );
    return {
      inputs,
      build: inputs.build as Values,
      notes,
      reasons: failures.map(({ property, reason }) => `${property}: ${reason}`),
    };
  };

  it("get the official plugin's defaults", async () => {
    const { inputs, notes, reasons } = await check({ build: { context: "app" } });
    const { contextDigest: digest, ...build } = inputs.build as Record<string, unknown>;
    assert.deepEqual(
      { ...inputs, build },
      {
        imageName: "127.0.0.1:5000/x:1",
        buildOnPreview: false,
        build: { context: "app", dockerfile: "app/Dockerfile", platform: "linux/amd64" },
      },
    );
    assert.match(String(digest), /^[0-9a-f]{64}$/);
    assert.equal(notes.length, 1);
    assert.deepEqual(reasons, []);
  });

  it("name a context of `.` when none is given, and no note when the platform is", async () => {
    write("Dockerfile", "FROM scratch\n");
    assert.equal((await check({})).build.dockerfile, "Dockerfile");
    assert.deepEqual((await check({ build: { platform: "linux/amd64" } })).notes, []);
  });

  it("keep secrets secret", async () => {
    const { inputs } = await check({ build: { context: "app" }, registry: { password: secret("p") } });
    assert.ok(isSecret((inputs.registry as Values).password));
  });

  it("wait with what is not known yet", async () => {
    const { build, reasons } = await check({ imageName: UNKNOWN, build: { context: UNKNOWN } });
    assert.deepEqual([build.context, build.dockerfile, build.contextDigest], [UNKNOWN, undefined, undefined]);
    assert.deepEqual(reasons, []);
  });

  const refusals: Record<string, [() => Values, RegExp]> = {
    "a Dockerfile that is not there": [
      () => ({ build: { context: "nowhere" } }),
      /^build\.dockerfile: could not open dockerfile at relative path "nowhere\/Dockerfile"$/,
    ],
    "a Dockerfile given relative to its context": [
      () => ({ build: { context: "app", dockerfile: "Dockerfile" } }),
      /Try setting `dockerfile` to "app\/Dockerfile"/,
    ],
    "an absolute Dockerfile that is not there": [
      () => ({ build: { context: "app", dockerfile: "/nowhere" } }),
      /expected a relative Dockerfile path; got "\/nowhere"/,
    ],
    "a name without a registry, when it is pushed": [
      () => ({ imageName: "x:1", build: { context: "app" } }),
      /^imageName: .*names no registry host/,
    ],
    "a cache image without a registry": [
      () => ({ build: { context: "app", cacheFrom: { images: ["x"] } } }),
      /^build\.cacheFrom: .*names no registry host/,
    ],
    "the builder before BuildKit": [
      () => ({ build: { context: "app", builderVersion: "BuilderV1" } }),
      /BuilderV1 is not served/,
    ],
  };
  for (const [what, [news, reason]] of Object.entries(refusals)) {
    it(`refuse ${what}`, async () => assert.match((await check(news())).reasons.join("\n"), reason));
  }

  it("refuse a .dockerignore, which only the official plugin reads", async () => {
    write("app/.dockerignore", "*");
    assert.match((await check({ build: { context: "app" } })).reasons.join(), /app\/\.dockerignore is not read/);
  });

  it("take any name for the local store", async () => {
    assert.deepEqual((await check({ imageName: "x:1", skipPush: true, build: { context: "app" } })).reasons, []);
  });

  describe("the context's digest", () => {
    const digest = () => contextDigest("app", "app/Dockerfile");

    it("is made of the bytes that the official plugin hashes", async () => {
      write("app/b", "two");
      mkdirSync("app/a");
      write("app/a/x", "one");
      chmodSync("app/a/x", 0o755);
      const parts = [
        ["Dockerfile", "----------", "FROM scratch\n"],
        ["Dockerfile", "-rw-r--r--", "FROM scratch\n"],
        ["a/x", "-rwxr-xr-x", "one"],
        ["b", "-rw-r--r--", "two"],
      ];
      const bytes = Buffer.concat(
        parts.map(([path, mode, text]) => Buffer.concat([Buffer.from(`${path}${mode}`), sha(text!), Buffer.from([0])])),
      );
      assert.equal(await digest(), createHash("sha256").update(bytes).digest("hex"));
    });

    it("changes with content, mode and name of a file, not with its time or the folder's place", async () => {
      write("app/file", "text");
      const first = await digest();
      write("app/file", "text");
      assert.equal(await digest(), first);
      renameSync("app", "moved");
      assert.equal(await contextDigest("moved", "moved/Dockerfile"), first);
      assert.equal(await contextDigest(join(dir, "moved"), join(dir, "moved/Dockerfile")), first);
      renameSync("moved", "app");
      const seen = new Set([first]);
      write("app/file", "other");
      seen.add(await digest());
      chmodSync("app/file", 0o600);
      seen.add(await digest());
      renameSync("app/file", "app/name");
      seen.add(await digest());
      assert.equal(seen.size, 4);
    });

    it("follows a link's path, not what the link points at", async () => {
      write("target", "one");
      symlinkSync("../target", "app/link");
      const first = await digest();
      write("target", "two");
      assert.equal(await digest(), first);
    });
  });

  describe("the diff", () => {
    const before: Values = {
      imageName: "r/x:1",
      build: { context: "a", args: { b: "c" } },
      registry: { server: "s", username: "u", password: "p" },
    };
    const changes = (after: Values) => diffImage(before, after).changes;

    it("is empty for equal inputs", () => assert.deepEqual(changes(structuredClone(before)), {}));

    it("names whole inputs", () => {
      assert.deepEqual(
        changes({ ...before, imageName: "r/x:2", build: { context: "a", args: { b: "d" } }, skipPush: false }),
        { imageName: "update", build: "update", skipPush: "add" },
      );
      assert.deepEqual(changes({ imageName: "r/x:1", build: before.build }), { registry: "delete" });
    });

    it("never replaces: the program asks for that where it wants it", () => {
      assert.ok(Object.values(changes({ imageName: "r/x:2" })).every((change) => !change.endsWith("replace")));
    });

    it("does not see another name or password", () => {
      assert.deepEqual(changes({ ...before, registry: { server: "s", username: "v", password: "q" } }), {});
      assert.deepEqual(changes({ ...before, registry: { server: "t", username: "u", password: "p" } }), {
        registry: "update",
      });
    });

    it("takes what is not known for changed", () => {
      assert.deepEqual(changes({ ...before, build: { context: "a", args: { b: UNKNOWN } } }), { build: "update" });
    });
  });
});
