import assert from "node:assert/strict";
import { baseFailure } from "../../../lib/base/failure";

const name = "127.0.0.1:5000/layers/base:0123456789ab";
const step =
  '[stage-1 2/2] RUN --mount=type=bind,from=script,target=/tmp/policy-platform ["/bin/sh","/tmp/policy-platform/install","hello=1.0"]';
const error = 'process "/bin/sh /tmp/policy-platform/install hello=1.0" did not complete successfully: exit code: 1';
const failed = (...log: string[]) => baseFailure(name, { step, error, log });

describe("a base whose packages cannot be installed", () => {
  it("tells every package that is out of date at once, with what there is", () => {
    const found = failed(
      "Reading package lists...",
      "policy-platform: base-package-version: hello 1.0 is not in the package index any more, which has 2.10-3, 2.10-2",
      "policy-platform: base-package-missing: no package nonsense is in the package index",
    )!;
    assert.equal(found.code, "base-package-version");
    assert.equal(
      found.message,
      `base ${name} cannot be built: hello 1.0 is not in the package index any more, which has 2.10-3, 2.10-2, no package nonsense is in the package index; a package is pinned to a version that the base's package index has; pin one that it has in policy-platform:base.packages, or pin a base whose index keeps old versions`,
    );
  });

  it("tells the package manager's own reason where the index cannot be read", () => {
    const found = failed(
      "Err:1 http://mirror.example.com bookworm InRelease",
      "E: Failed to fetch http://mirror.example.com/InRelease  Could not resolve 'mirror.example.com'",
      "policy-platform: base-index: the package index cannot be read",
    )!;
    assert.equal(found.code, "base-index");
    assert.match(
      found.message,
      /cannot be read, E: Failed to fetch http:\/\/mirror\.example\.com\/InRelease Could not resolve/,
    );
  });

  it("tells a full disk, whoever noticed it", () => {
    for (const line of [
      "E: You don't have enough free space in /var/cache/apt/archives/.",
      "dpkg: error processing archive x.deb: cannot copy extracted data: No space left on device",
      "ERROR: bash-5.2.37-r0: No space left on device",
    ])
      assert.equal(failed(line, "policy-platform: base-install: apk cannot add x=1")!.code, "disk-full");
    assert.equal(
      baseFailure(name, { step, error: "write /layer: no space left on device", log: [] })!.code,
      "disk-full",
    );
  });

  for (const line of [
    'runc run failed: unable to start container process: error during container init: exec: "/bin/sh": stat /bin/sh: no such file or directory',
    'runc run failed: unable to start container process: exec: "/bin/sh": permission denied',
    "exec /bin/sh: exec format error",
  ])
    it(`tells that there is no shell to be started: ${line.slice(-40)}`, () => {
      assert.equal(failed(line)!.code, "base-shell-missing");
    });

  it("is not read out of another step, nor out of a line that the script did not print", () => {
    const log = ["policy-platform: base-index: the package index cannot be read"];
    assert.equal(baseFailure(name, { step: "[2/4] COPY --link --from=tool / /", error, log }), undefined);
    assert.equal(failed("policy-platform: no-such-code: x"), undefined);
    assert.equal(failed("policy-platform: __proto__: x"), undefined);
    assert.equal(failed(), undefined);
  });

  it("never prints what a terminal would act on, nor a megabyte", () => {
    const found = failed(`policy-platform: base-install: \u001b[2J\u0007${"x".repeat(2 ** 20)}`)!;
    assert.doesNotMatch(found.message, /[\p{Cc}]/u);
    assert.ok(found.message.length < 2_000);
  });
});
