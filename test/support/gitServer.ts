// A real git server over loopback http: git's own http-backend, started for each request as a web server would.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Content of a file; `{link}` is a symbolic link, `{executable}` a file that runs. */
export type GitContent = string | Buffer | { readonly link: string } | { readonly executable: string };

export interface GitServer {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Method and path of every request. */
  readonly requests: string[];
  /** Makes or changes a repository: its files are exactly these. Gives the commit. */
  commit(repository: string, files: Readonly<Record<string, GitContent>>, branch?: string): string;
  /** Runs git in the work tree behind a repository, then publishes all branches and tags. */
  git(repository: string, ...args: string[]): string;
  /** Makes a tree of lines as `git ls-tree` prints them; gives its name. */
  tree(repository: string, lines: readonly string[]): string;
  /** Sets a setting of the published repository: `uploadpack.allowFilter`. */
  configure(repository: string, name: string, value: string): void;
  close(): Promise<void>;
}

const identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false"];

/** `password`: what basic authentication asks for; `protocol: 0`: the server speaks git's first protocol alone. */
export async function startGitServer(
  options: { readonly password?: string; readonly protocol?: 0 | 2; readonly objectFormat?: "sha1" | "sha256" } = {},
): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), "git-server-"));
  const requests: string[] = [];
  const backend = join(execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim(), "git-http-backend");
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const given = Buffer.from(request.headers.authorization?.split(" ")[1] ?? "", "base64").toString();
    if (options.password !== undefined && given.slice(given.indexOf(":") + 1) !== options.password) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    } else serve(backend, join(root, "served"), options.protocol ?? 2, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const run = (cwd: string, ...args: string[]) =>
    execFileSync("git", [...identity, ...args], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  const workTree = (repository: string) => join(root, "trees", repository);
  const served = (repository: string) => join(root, "served", `${repository}.git`);
  const publish = (repository: string) => run(workTree(repository), "push", "--quiet", "--mirror", served(repository));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    commit(repository, files, branch = "main") {
      const folder = workTree(repository);
      const format = `--object-format=${options.objectFormat ?? "sha1"}`;
      mkdirSync(folder, { recursive: true });
      try {
        run(folder, "rev-parse", "--git-dir");
      } catch {
        run(folder, "init", "--quiet", format, "--initial-branch", branch);
        run(folder, "init", "--quiet", "--bare", format, "--initial-branch", branch, served(repository));
        run(served(repository), "config", "uploadpack.allowFilter", "true");
      }
      run(folder, "checkout", "--quiet", "-B", branch);
      run(folder, "rm", "-rfq", "--ignore-unmatch", ".");
      for (const [path, content] of Object.entries(files)) write(join(folder, path), content);
      run(folder, "add", "--all", "--force", ".");
      run(folder, "commit", "--quiet", "--allow-empty", "-m", "change");
      publish(repository);
      return run(folder, "rev-parse", "HEAD");
    },
    git(repository, ...args) {
      const said = run(workTree(repository), ...args);
      publish(repository);
      return said;
    },
    tree: (repository, lines) =>
      execFileSync("git", ["mktree"], {
        cwd: workTree(repository),
        encoding: "utf8",
        input: `${lines.join("\n")}\n`,
      }).trim(),
    configure: (repository, name, value) => void run(served(repository), "config", name, value),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function write(path: string, content: GitContent): void {
  mkdirSync(dirname(path), { recursive: true });
  if (typeof content === "string" || Buffer.isBuffer(content)) writeFileSync(path, content);
  else if ("link" in content) symlinkSync(content.link, path);
  else writeFileSync(path, content.executable, { mode: 0o755 });
}

/** RFC 3875, as far as git-http-backend(1) asks for it. */
function serve(
  backend: string,
  root: string,
  protocol: 0 | 2,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url!, "http://localhost");
  const header = (name: string) => String(request.headers[name] ?? "");
  const child = spawn(backend, [], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: header("content-type"),
      CONTENT_LENGTH: header("content-length"),
      HTTP_CONTENT_ENCODING: header("content-encoding"),
      GIT_PROTOCOL: protocol === 2 ? header("git-protocol") : "",
      GIT_CONFIG_NOSYSTEM: "1",
    },
  });
  request.pipe(child.stdin);
  child.stdin.on("error", () => undefined);
  response.on("close", () => child.kill());
  let head = Buffer.alloc(0);
  child.stdout.on("data", (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const lines = head
      .toString("latin1", 0, end)
      .split("\r\n")
      .map((line) => /^([^:]+): (.*)$/.exec(line)!);
    const fields = lines.map(([, name, value]) => [name!.toLowerCase(), value!] as const);
    const status = fields.find(([name]) => name === "status")?.[1];
    response.writeHead(
      Number(status?.split(" ")[0] ?? 200),
      Object.fromEntries(fields.filter(([name]) => name !== "status")),
    );
    return void response.write(head.subarray(end + 4));
  });
  child.stdout.on("end", () => response.end());
}
