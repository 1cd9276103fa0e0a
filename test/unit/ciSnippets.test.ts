// The CI files of the how-to page for this project's own repository: what their hosts read, and who may write where.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { policyPlatform } from "../../cli/program";
import { officialUrl } from "../../local/toolchain/engine";

const page = readFileSync("docs/how-to/run-in-ci.md", "utf8");
const cloud = readFileSync("docs/how-to/set-up-on-google-cloud.md", "utf8");
const [builds, promotes, bitbucket] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);
const files = [builds!, promotes!, bitbucket!];

type Step = { name?: string; run?: string; uses?: string; with?: Record<string, unknown>; if?: string };
type Job = { steps: Step[]; if?: string; permissions?: Record<string, string>; "timeout-minutes": number };
type Pipe = { step: { name: string; script: string[]; deployment?: string; oidc?: boolean; "max-time": number } };

const jobs: Record<string, Job> = { ...parse(builds!).jobs, ...parse(promotes!).jobs };
const { "pull-requests": requests, branches, custom } = parse(bitbucket!).pipelines;
const onPullRequest: Pipe[] = requests["**"];
const onMain: Pipe[] = branches.main;
const atNight: Pipe[] = Object.values(custom as Record<string, Pipe[]>).flat();

const lines = (job: Job) => job.steps.map(({ run = "" }) => run).join("\n");
const accounts = (job: Job) =>
  job.steps.flatMap(({ with: { service_account } = {} }) => (service_account as string) ?? []);

describe("the CI files with which this project releases and promotes itself", () => {
  it("are YAML of the shape that GitHub reads, on the events that the page names", () => {
    assert.deepEqual(Object.keys(parse(builds!).on), ["pull_request", "push", "schedule"]);
    assert.deepEqual(parse(promotes!).on.push, { branches: ["main"], paths: ["Pulumi.prod.yaml"] });
    assert.deepEqual(Object.keys(jobs), ["check", "look", "dev", "prod"]);
    for (const { steps, "timeout-minutes": minutes } of Object.values(jobs)) {
      assert.ok(minutes < 60, "a token lives for an hour");
      for (const { run, uses } of steps) assert.equal([run, uses].filter((one) => typeof one === "string").length, 1);
    }
  });

  it("are YAML of the shape that Bitbucket reads: each step has a time, and a deployment where it logs in", () => {
    for (const { step } of [...onPullRequest, ...onMain, ...atNight]) {
      assert.ok(step.script.every((line) => typeof line === "string"));
      assert.ok(step["max-time"] < 60);
      const logsIn = step.script.includes(". ci/google.sh");
      assert.deepEqual([step.oidc ?? false, step.deployment !== undefined], [logsIn, logsIn], step.name);
    }
  });

  it("let no pull request use an account that may write", () => {
    assert.deepEqual(accounts(jobs.check!), []);
    assert.equal(jobs.check!.permissions, undefined, "those of the file: reading the repository");
    assert.deepEqual(parse(builds!).permissions, { contents: "read" });
    assert.deepEqual(accounts(jobs.look!), ["policy-preview@${{ matrix.project }}.iam.gserviceaccount.com"]);
    assert.equal(jobs.dev!.if, "github.event_name == 'push'");
    for (const job of [jobs.check!, jobs.look!])
      assert.doesNotMatch(lines(job), /pulumi up|docker login|policy-release/);
    for (const { step } of [...onPullRequest, ...atNight])
      assert.doesNotMatch(step.script.join("\n"), /pulumi up|docker login|ACCOUNT=release/);
  });

  it("release as the account of the stack's own project, from main alone", () => {
    assert.deepEqual(accounts(jobs.dev!), ["policy-release@acme-dev.iam.gserviceaccount.com"]);
    assert.deepEqual(accounts(jobs.prod!), ["policy-release@acme-prod.iam.gserviceaccount.com"]);
    assert.deepEqual(
      onMain.map(({ step }) => [step.deployment, step.script[0]]),
      [
        ["dev", "export ACCOUNT=release STACK=dev"],
        ["prod", "export ACCOUNT=release STACK=prod"],
      ],
    );
    for (const account of ["policy-release@", "policy-preview@"]) assert.ok(cloud.includes(account), account);
    assert.ok(cloud.includes('"$pool/attribute.ref/refs/heads/main"'));
  });

  it("use no action by a moving name, and no action but GitHub's and Google's", () => {
    for (const { uses } of Object.values(jobs).flatMap(({ steps }) => steps))
      if (uses) assert.match(uses, /^(?:actions|google-github-actions)\/[a-z-]+@[0-9a-f]{40}$/);
    for (const { steps } of Object.values(jobs))
      assert.ok(
        steps.findIndex(({ run }) => run === "npm ci") < indexOfLogin(steps),
        "no login is there when packages are installed",
      );
  });

  it("take the engine that the local stack takes, by the same checksum", () => {
    const source = readFileSync("local/toolchain/engine.ts", "utf8");
    const sha256 = /sha256: "([0-9a-f]{64})"/.exec(source)![1]!;
    for (const text of [builds!, promotes!, page]) assert.ok(text.includes(officialUrl()!) && text.includes(sha256));
    assert.equal(new Set(page.match(/pulumi-v[0-9.]+-linux-x64/g)).size, 1);
  });

  it("have the whole history where a commit tag is made, and give a password to nothing but stdin", () => {
    for (const name of ["check", "look", "dev"])
      assert.equal(jobs[name]!.steps.find(({ uses }) => uses?.startsWith("actions/checkout"))!.with!["fetch-depth"], 0);
    assert.equal(parse(bitbucket!).clone.depth, "full");
    for (const text of files) assert.doesNotMatch(text, /--password[ =](?!stdin)/);
  });

  it("call the command with verbs and options that it has", () => {
    const { commands } = policyPlatform(() => undefined);
    const calls = [...page.matchAll(/npx policy-platform ([a-z]+)(.*)$/gm)];
    assert.ok(calls.length >= 4);
    for (const [call, verb, rest] of calls) {
      const command = commands.find((one) => one.name() === verb);
      assert.ok(command, call);
      for (const [option] of rest!.matchAll(/--[a-z-]+/g))
        assert.ok(command.options.some(({ long }) => long === option));
    }
  });
});

function indexOfLogin(steps: readonly Step[]): number {
  const index = steps.findIndex(({ uses }) => uses?.startsWith("google-github-actions/auth"));
  return index < 0 ? steps.length : index;
}
