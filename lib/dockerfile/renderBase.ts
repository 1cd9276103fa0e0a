// Renders the Dockerfile of a base with packages: the only RUN there is. Nothing of the configuration is shell text: the script
// is constant, and what is installed are its arguments.
import { type BaseSource, baseDocument, baseLabel, installed } from "../base/packages";
import { PlatformError } from "../errors";
import { parsePinned } from "../oci/reference";
import { installScripts } from "./installScripts";
import { label, pinned } from "./render";

/** A name or a version as `config/` lets it through, once more before it becomes an argument: no option, no modifier, no pattern. */
const words = { name: /^[A-Za-z0-9][A-Za-z0-9+._-]*$/, version: /^[0-9][A-Za-z0-9.+~:_-]*$/ };

const endOfScript = "end-of-script";
/** Where the step finds its script, which no layer holds. */
const scriptFolder = "/tmp/policy-platform";
/** Installs; an image without a USER of its own is left with it. */
const root = "0:0";

/**
 * The whole Dockerfile. `user` is the base's own USER, empty where it names none, which means root: packages are installed by root,
 * and the base has its user back afterwards. Empty and what such a base then says of itself give the same Dockerfile: later runs find the
 * built base, and a state that names the first one's context must find it in a fresh checkout.
 * Error: `base-user-malformed`.
 */
export function renderBase(base: BaseSource, user: string): string {
  const { manager, versions } = installed(base.packages)!;
  const pins = Object.keys(versions)
    .sort()
    .map((name) => argument(name, versions[name]!));
  const { registry, path, digest } = parsePinned(base.image);
  return [
    "FROM scratch AS script",
    `COPY <<'${endOfScript}' /install`,
    ...installScripts[manager].trim().split("\n"),
    endOfScript,
    `FROM ${pinned(`${registry}/${path}`, digest)}`,
    `USER ${root}`,
    `RUN --mount=type=bind,from=script,target=${scriptFolder} ${JSON.stringify(["/bin/sh", `${scriptFolder}/install`, ...pins])}`,
    ...(user === "" || user === root ? [] : [`USER ${checkedUser(user, base.image)}`]),
    ...label(baseLabel, baseDocument(base)),
    "",
  ].join("\n");
}

function argument(name: string, version: string): string {
  if (!words.name.test(name) || !words.version.test(version))
    throw new Error(`not a pinned package: ${JSON.stringify(`${name}=${version}`)}`);
  return `${name}=${version}`;
}

/** It comes from the base's own configuration. */
function checkedUser(user: string, image: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,99})?$/.test(user)) return user;
  throw new PlatformError("base-user-malformed", {
    what: `the user of base ${image} is ${JSON.stringify(user.slice(0, 100))}`,
    rule: "a base's USER is a name or a number, with a group behind a colon where it has one",
    fix: "pin a base whose USER is one",
  });
}
