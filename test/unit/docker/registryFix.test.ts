// What a user is told to do when the Docker engine complains about a registry, by the engine's own words.
import assert from "node:assert/strict";
import { registryFix } from "../../../lib/docker/build";

const head = 'Head "https://registry.acme.example:5443/v2/a/manifests/v1":';

const complaints: readonly (readonly [words: string, fix: RegExp])[] = [
  [`${head} http: server gave HTTP response to HTTPS client`, /`insecure-registries` of the engine's daemon\.json/],
  [
    `failed to do request: ${head} tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    /\/etc\/docker\/certs\.d\/registry\.acme\.example:5443\/ca\.crt on its own machine$/,
  ],
  [
    `failed to do request: ${head} x509: certificate signed by unknown authority`,
    /certs\.d\/registry\.acme\.example:5443\/ca\.crt/,
  ],
  ["x509: certificate signed by unknown authority", /certs\.d\/<registry>\/ca\.crt/],
  ["toomanyrequests: You have reached your pull rate limit", /wait until the registry's limit is over/],
  [`${head} 429 Too Many Requests`, /wait until the registry's limit is over/],
  ["unauthorized: authentication required", /run `docker login` for that registry/],
  ["denied: requested access to the resource is denied", /run `docker login` for that registry/],
  ["no basic auth credentials", /run `docker login` for that registry/],
  [`${head} dial tcp 10.0.0.1:5443: connect: connection refused`, /start the registry, or correct its address/],
  [`${head} dial tcp: lookup registry.acme.example: no such host`, /start the registry, or correct its address/],
  [`${head} context deadline exceeded`, /start the registry, or correct its address/],
  ["write /var/lib/docker/x: no space left on device", /free disk space/],
];

describe("what to do about the Docker engine's complaint of a registry", () => {
  for (const [words, fix] of complaints)
    it(`is said of: ${words}`, () => {
      assert.match(registryFix(words) ?? "", fix);
    });

  it("is not guessed of a complaint about something else", () => {
    for (const words of ["failed to solve: process /bin/sh did not complete", "exit code: 1", ""])
      assert.equal(registryFix(words), undefined);
  });
});
