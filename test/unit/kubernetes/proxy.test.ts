// Which clusters are reached through the proxy of the environment.
import assert from "node:assert/strict";
import { proxyOf } from "../../../lib/kubernetes/proxy";

const proxy = "http://proxy:3128";

describe("the proxy of the environment", () => {
  const cases: readonly [server: string, exceptions: string, isUsed: boolean][] = [
    ["https://10.0.0.1:6443", "", true],
    ["https://10.0.0.1:6443", "10.0.0.0/8", false],
    ["https://10.0.0.1:6443", "10.0.0.1", false],
    ["https://10.0.0.1:6443", "192.168.0.0/16,10.0.0.1/300", true],
    ["https://api.acme.com", "acme.com", false],
    ["https://api.acme.com", ".acme.com", false],
    ["https://api.acme.com", "*.acme.com", false],
    ["https://apiacme.com", "acme.com", true],
    ["https://api.acme.com:6443", "acme.com:443", true],
    ["https://api.acme.com:6443", "acme.com:6443", false],
    ["https://api.acme.com", "*", false],
    ["https://[fd00::1]:6443", "fd00::/8", false],
    ["https://127.0.0.1:6443", "", false],
    ["https://localhost:6443", "", false],
  ];
  for (const [server, exceptions, isUsed] of cases)
    it(`is ${isUsed ? "" : "not "}used for ${server} with the exceptions "${exceptions}"`, () => {
      const found = proxyOf(new URL(server), { HTTPS_PROXY: proxy, NO_PROXY: exceptions });
      assert.equal(found, isUsed ? proxy : undefined);
    });

  it("is none where none is named", () => {
    assert.equal(proxyOf(new URL("https://10.0.0.1"), {}), undefined);
    assert.equal(proxyOf(new URL("https://10.0.0.1"), { https_proxy: proxy }), proxy);
  });
});
