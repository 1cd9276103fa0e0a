import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { canListen, holderOf } from "../../../local/ports";

describe("a port of the loopback", () => {
  it("is free when nothing listens there, and else it is said what does", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      assert.equal(await canListen(port), false);
      assert.match(holderOf(port), new RegExp(`^process ${process.pid} \\(\\S*node .*\\)$`));
      assert.equal(holderOf(port, "/nowhere"), "something else");
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    assert.equal(await canListen(port), true);
  });
});
