// Git servers that are not what a pin hopes for: each ends soon, with what is wrong and what to do, and leaves nothing behind.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { PlatformError } from "../../lib/errors";
import { resolveRef } from "../../lib/git/refs";
import { type GitTreeOptions, gitTree } from "../../lib/git/repository";
import { processArguments, processIds } from "../../lib/process";
import { keepVariables } from "../support/environment";
import { type GitServer, startGitServer } from "../support/gitServer";
import { refused } from "../support/refused";

const someCommit = "0123456789abcdef0123456789abcdef01234567";

describe("a git server", function () {
  this.timeout(60_000);
  let dir: string;
  const ends: (() => unknown)[] = [];
  let restore: () => void;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "git-servers-"));
    restore = keepVariables();
    process.env.XDG_CACHE_HOME = join(dir, "cache");
    process.env.HOME = join(dir, "home");
    mkdirSync(join(dir, "home"));
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    restore();
    rmSync(dir, { recursive: true, force: true });
  });

  const start = async (options: Parameters<typeof startGitServer>[0] = {}): Promise<GitServer> => {
    const server = await startGitServer(options);
    ends.push(() => server.close());
    return server;
  };
  const standIn = async (handler: RequestListener) => {
    const server: Server = createServer(handler);
    ends.push(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
  };
  /** A server that passes all on to a real one, both ways through a change. */
  const between = (real: GitServer, asked: (body: Buffer) => Buffer, given: (body: Buffer) => Buffer) =>
    standIn(async (request: IncomingMessage, response: ServerResponse) => {
      const names = ["content-type", "git-protocol", "content-encoding", "accept"];
      const headers = names.flatMap((name) => (request.headers[name] ? [[name, String(request.headers[name])]] : []));
      const body = new Uint8Array(asked(await buffer(request)));
      const answer = await fetch(`${real.url}${request.url}`, {
        method: request.method ?? "GET",
        headers: Object.fromEntries(headers),
        ...(request.method === "POST" && { body }),
      });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(given(Buffer.from(await answer.arrayBuffer())));
    });
  const replaced = (body: Buffer, from: string, to: string) =>
    Buffer.from(body.toString("latin1").replaceAll(from, to), "latin1");
  const cached = () => {
    const folder = join(dir, "cache/policy-platform/git");
    return existsSync(folder) ? readdirSync(folder).flatMap((key) => readdirSync(join(folder, key))) : [];
  };
  /** The error, which must come within `seconds` and leave neither a commit in the cache nor a git that runs. */
  const refusal = async (
    codes: string,
    url: string,
    commit: string,
    seconds: number,
    { path, ...options }: GitTreeOptions & { path?: string } = {},
  ): Promise<PlatformError> => {
    const started = Date.now();
    const error = await gitTree({ url, commit, ...(path && { path }) }, options).then(
      () => assert.fail("it was taken"),
      (thrown: PlatformError) => thrown,
    );
    assert.match(error.code ?? String(error), new RegExp(`^(${codes})$`), error.message);
    assert.ok(Date.now() - started < seconds * 1000, `${Date.now() - started} ms`);
    assert.deepEqual(cached(), []);
    assert.deepEqual(
      processIds().filter((pid) => argumentsOf(pid).some((one) => one.includes(url))),
      [],
    );
    return error;
  };

  it("that asks for a password is refused at once, with where git would find one", async () => {
    const server = await start({ password: "hunter2" });
    const commit = server.commit("x", { "a.yaml": "a: 1\n" });
    const error = await refusal("git-unauthorized", `${server.url}/x.git`, commit, 15);
    assert.match(error.message, /asks for credentials.*credential helper, ~\/\.netrc or an ssh key.*git ls-remote/);
    await refused("git-unauthorized", () => resolveRef(`${server.url}/x.git`, "main"));
  });

  it("that asks for a password gets that of ~/.netrc or of a credential helper, and none of it is kept", async () => {
    const server = await start({ password: "hunter2" });
    const commit = server.commit("x", { "a.yaml": "a: 1\n" });
    writeFileSync(join(dir, "home/.netrc"), "machine 127.0.0.1 login ci password hunter2\n", { mode: 0o600 });
    assert.ok(await gitTree({ url: `${server.url}/x.git`, commit }));
    rmSync(join(dir, "home/.netrc"));
    rmSync(join(dir, "cache"), { recursive: true });
    const helper = join(dir, "helper");
    writeFileSync(helper, "#!/bin/sh\necho username=ci\necho password=hunter2\n");
    chmodSync(helper, 0o755);
    writeFileSync(join(dir, "home/.gitconfig"), `[credential]\n\thelper = ${helper}\n`);
    assert.ok(await gitTree({ url: `${server.url}/x.git`, commit }));
    assert.equal(spawnSync("grep", ["-rl", "hunter2", join(dir, "cache")], { encoding: "utf8" }).stdout, "");
  });

  it("whose repository is large by mistake is left before all of it came", async () => {
    const server = await start();
    const videos = Array.from({ length: 3 }, (_, at) => [`video-${at}.bin`, randomBytes(4 * 1024 * 1024)] as const);
    const commit = server.commit("huge", { "policies/a.yaml": "a: 1\n", ...Object.fromEntries(videos) });
    const maxBytes = 1024 * 1024;
    const error = await refusal("git-too-large", `${server.url}/huge.git`, commit, 20, { maxBytes });
    assert.match(error.message, /has more than 1 MiB at [0-9a-f]{40}: the fetch was ended.*with the key path/);
    assert.ok(await gitTree({ url: `${server.url}/huge.git`, commit, path: "policies" }, { maxBytes }));
  });

  it("whose commit has too many files is left before one of them came", async () => {
    const server = await start();
    server.commit("wide", { a: "x" });
    const blob = server.git("wide", "rev-parse", "HEAD:a");
    const tree = server.tree(
      "wide",
      Array.from({ length: 21_000 }, (_, at) => `100644 blob ${blob}\tf${at}`),
    );
    const outer = server.tree("wide", [`040000 tree ${tree}\tp`]);
    const commit = server.git("wide", "commit-tree", outer, "-m", "wide");
    server.git("wide", "branch", "wide", commit);
    await refusal("folder-too-large", `${server.url}/wide.git`, commit, 20, { path: "p" });
  });

  it("whose tree names one tree many times over, as a bomb does, is refused within bounds", async () => {
    const server = await start();
    server.commit("bomb", { a: "x" });
    let object = `100644 blob ${server.git("bomb", "rev-parse", "HEAD:a")}`;
    for (let level = 0; level < 10; level++)
      object = `040000 tree ${server.tree(
        "bomb",
        Array.from({ length: 10 }, (_, at) => `${object}\td${at}`),
      )}`;
    const commit = server.git("bomb", "commit-tree", object.split(" ")[2]!, "-m", "bomb");
    server.git("bomb", "branch", "bomb", commit);
    await refusal("folder-too-large", `${server.url}/bomb.git`, commit, 20);
  });

  it("stand-in: that is slow is left when it stands still", async () => {
    const url = await standIn((_request, response) => {
      response.writeHead(200, { "content-type": "application/x-git-upload-pack-advertisement" });
      response.write("001e# service=git-upload-pack\n0000");
    });
    const error = await refusal("git-slow", url, someCommit, 10, { timeout: 1500 });
    assert.match(error.message, /did not answer in time/);
    await refusal("git-slow", url, someCommit, 20, { idleSeconds: 1 });
  });

  it("stand-in: that fails, is gone, or is no git server is named, after three tries where that may help", async () => {
    let asked = 0;
    const failing = await standIn((_request, response) => {
      asked++;
      response.writeHead(503).end("busy");
    });
    assert.match((await refusal("git-unavailable", failing, someCommit, 20)).message, /could not be fetched: .*503/);
    assert.equal(asked, 3);
    await refusal("git-unavailable", "http://127.0.0.1:1/x.git", someCommit, 20);
    const page = await standIn((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>login</html>");
    });
    await refusal("git-failed|git-repository-missing", page, someCommit, 20);
  });

  it("stand-in: that redirects is not followed, wherever it leads", async () => {
    const real = await start();
    const commit = real.commit("x", { "a.yaml": "a: 1\n" });
    const url = await standIn((request, response) => {
      response.writeHead(301, { location: `${real.url}${request.url}` }).end();
    });
    const error = await refusal("git-redirected", url, commit, 15);
    assert.match(
      error.message,
      /its server redirects .*; no redirect is followed.*; name the address that it leads to/,
    );
  });

  it("stand-in: that sends a pack with one bit changed is refused", async () => {
    const real = await start();
    const commit = real.commit("x", { "a.yaml": "a: 1\n".repeat(1000) });
    const url = await between(
      real,
      (body) => body,
      (body) => {
        const at = body.indexOf("PACK");
        if (at >= 0) body[at + 40]! ^= 1;
        return body;
      },
    );
    await refusal("git-content-wrong", url, commit, 30);
  });

  it("stand-in: that lies about the commit, and gives another one under its name, is refused", async () => {
    const real = await start();
    const wanted = real.commit("x", { "a.yaml": "a: 1\n" });
    const other = real.commit("x", { "a.yaml": "a: 666\n" });
    const url = await between(
      real,
      (body) => replaced(body, wanted, other),
      (body) => replaced(body, other, wanted),
    );
    const error = await refusal("git-content-wrong|git-commit-missing", url, wanted, 30);
    assert.match(error.message, /other content than that of commit|has no commit/);
  });

  it("never runs a hook, a template or a submodule, whatever the user's git is set to", async () => {
    const server = await start();
    const modules = '[submodule "s"]\n\tpath = s\n\turl = https://git.example.com/never\n';
    const commit = server.commit("x", { "a.yaml": "a: 1\n", ".gitmodules": modules });
    const hooks = join(dir, "hooks");
    mkdirSync(hooks);
    for (const name of ["reference-transaction", "post-checkout", "post-merge"]) {
      writeFileSync(join(hooks, name), `#!/bin/sh\ntouch ${join(dir, "ran")}\n`);
      chmodSync(join(hooks, name), 0o755);
    }
    const lines = [
      `[core]\n\thooksPath = ${hooks}\n\tfsmonitor = ${hooks}/post-merge\n`,
      `[init]\n\ttemplateDir = ${dir}\n`,
    ];
    writeFileSync(join(dir, "home/.gitconfig"), lines.join(""));
    assert.ok(await gitTree({ url: `${server.url}/x.git`, commit }));
    assert.equal(existsSync(join(dir, "ran")), false);
  });

  it("is never reached by a protocol that runs a program, whatever the user's git makes of the address", async () => {
    const run = `[url "ext::sh -c touch% ${join(dir, "ran")} "]\n\tinsteadOf = https://git.example.com/\n`;
    writeFileSync(join(dir, "home/.gitconfig"), `${run}[protocol "ext"]\n\tallow = always\n`);
    await refusal("git-failed", "https://git.example.com/x.git", someCommit, 10);
    assert.equal(existsSync(join(dir, "ran")), false);
  });

  it("is spoken to by a git that sees no token of this process", async () => {
    process.env.A_TOKEN = "hunter2";
    writeFileSync(join(dir, "helper"), `#!/bin/sh\nenv > ${join(dir, "seen")}\n`, { mode: 0o755 });
    writeFileSync(join(dir, "home/.gitconfig"), `[credential]\n\thelper = ${join(dir, "helper")}\n`);
    const server = await start({ password: "x" });
    const commit = server.commit("x", { "a.yaml": "a: 1\n" });
    await refusal("git-unauthorized", `${server.url}/x.git`, commit, 15);
    const seen = execFileSync("cat", [join(dir, "seen")], { encoding: "utf8" });
    assert.match(seen, /^GIT_TERMINAL_PROMPT=0$/m);
    assert.doesNotMatch(seen, /hunter2/);
  });
});

function argumentsOf(pid: number): string[] {
  try {
    return processArguments(pid);
  } catch {
    return [];
  }
}
