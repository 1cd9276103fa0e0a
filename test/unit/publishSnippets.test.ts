// The CI files of the how-to page for policy teams: YAML that its hosts read, with nobody's moving code in it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { policyPlatform } from "../../cli/program";

const page = readFileSync("docs/how-to/publish-a-policy-repository.md", "utf8");
const [github, bitbucket] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);

describe("the CI files with which a policy team publishes its repository", () => {
  it("are YAML of the shape that GitHub and Bitbucket read", () => {
    const { jobs, on } = parse(github!);
    assert.deepEqual(on, { push: { tags: ["v*"] } });
    assert.ok(jobs.publish.steps.every(({ run }: { run?: string }) => typeof run === "string"));
    const [step] = parse(bitbucket!).pipelines.tags["v*"];
    assert.ok(step.step.script.every((line: unknown) => typeof line === "string"));
  });

  it("use no action, no pipe and no image by a moving name but their host's, and give a password to nothing but stdin", () => {
    for (const text of [github!, bitbucket!]) {
      for (const [action, ref] of [...text.matchAll(/(?:uses|pipe): *\S+@(\S+)/g)].map(
        ([whole, at]) => [whole, at!] as const,
      ))
        assert.match(ref, /^[0-9a-f]{40}$/, action);
      assert.match(text, /IMAGE[:=] ?\S+@sha256:[0-9a-f]{64}$/m);
      assert.match(text, /PLATFORM_COMMIT[:=] ?[0-9a-f]{40}$/m);
      assert.doesNotMatch(text, /--password[ =](?!stdin)/);
    }
  });

  it("put the two programs that the tests of policies need on PATH", () => {
    for (const text of [github!, bitbucket!])
      for (const program of ["kyverno", "helm"])
        assert.match(text, new RegExp(`docker cp "\\$container:/usr/local/bin/${program}" \\S*bin/${program}$`, "m"));
  });

  it("call the command with options that it has", () => {
    const push = policyPlatform(() => undefined)
      .commands.find((one) => one.name() === "repository")!
      .commands.find((one) => one.name() === "push")!;
    for (const text of [github!, bitbucket!]) {
      const line = /policy-platform\.js repository push (\S+) ("[^"]+")(.*)$/m.exec(text)!;
      for (const [option] of line[3]!.matchAll(/--[a-z-]+/g))
        assert.ok(
          push.options.some(({ long }) => long === option),
          option,
        );
    }
  });
});
