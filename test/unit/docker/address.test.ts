import assert from "node:assert/strict";
import { addressFromEnvironment, parseAddress } from "../../../lib/docker/address";
import type { PlatformError } from "../../../lib/errors";

describe("the engine's address", () => {
  it("is a unix socket or a host and port", () => {
    assert.deepEqual(parseAddress("unix:///run/docker.sock"), {
      text: "unix:///run/docker.sock",
      socketPath: "/run/docker.sock",
    });
    assert.deepEqual(parseAddress("tcp://10.0.0.7:2375"), {
      text: "tcp://10.0.0.7:2375",
      host: "10.0.0.7",
      port: 2375,
    });
    assert.deepEqual(parseAddress("tcp://[::1]:2375"), { text: "tcp://[::1]:2375", host: "::1", port: 2375 });
  });

  for (const text of [
    "ssh://host",
    "https://host:2376",
    "unix://relative",
    "tcp://host",
    "tcp://host:0",
    "tcp://host:70000",
    "docker",
  ]) {
    it(`refuses ${text} with the way out`, () => {
      assert.throws(
        () => parseAddress(text),
        (error: PlatformError) =>
          error.code === "engine-address" && error.message.includes(text) && /DOCKER_HOST=unix/.test(error.message),
      );
    });
  }

  it("comes from DOCKER_HOST before any socket that exists", () => {
    assert.equal(addressFromEnvironment({ DOCKER_HOST: "tcp://h:1" }).text, "tcp://h:1");
  });

  it("is the system's socket where nothing is found", () => {
    assert.match(addressFromEnvironment({ HOME: "/nowhere" }).text, /docker\.sock$/);
  });
});
