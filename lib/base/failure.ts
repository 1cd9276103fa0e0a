// Why the packages of a base could not be installed, out of what the build's only RUN printed: its script's own lines
// (lib/dockerfile/installScripts.ts), and what the engine says when there is no shell to run it.
import { saysDiskFull } from "../diskFull";
import type { FailedStep } from "../docker/trace";
import { PlatformError } from "../errors";
import { printable } from "../printable";

/** `policy-platform: <code>: <sentence>`. */
const ownLine = /^policy-platform: ([a-z-]{1,40}): (.+)$/;
const noShell = /exec: "\/bin\/sh": |exec \/bin\/sh: /;
const isInstallation = /\/policy-platform\/install["\s]/;

interface Way {
  readonly rule: string;
  readonly fix: string;
}

function way(code: string, rule: string, fix: string): readonly [string, Way] {
  return [code, { rule, fix }];
}

/** What to do about each code that the script prints. */
const ways = new Map([
  way(
    "base-manager",
    "packages are installed by the base's own package manager",
    "give the packages under the package manager that the base has, apk or apt, or pin a base that has this one",
  ),
  way(
    "base-package-version",
    "a package is pinned to a version that the base's package index has",
    "pin one that it has in policy-platform:base.packages, or pin a base whose index keeps old versions",
  ),
  way(
    "base-package-missing",
    "a package is one of the base's package index",
    "correct its name in policy-platform:base.packages, or pin a base whose index has it",
  ),
  way(
    "base-index",
    "packages come from the sources that the base itself names, over the network of the engine's machine",
    "look at the sources in the base and at that network, and run it again",
  ),
  way(
    "base-install",
    "packages are installed at their very versions, and nothing of the base is removed",
    "mend the pins in policy-platform:base.packages as the package manager says",
  ),
]);

/** The error of a step that installs packages; undefined for any other step. `name` is the image that was to be built. */
export function baseFailure(name: string, { step, error, log }: FailedStep): PlatformError | undefined {
  if (!isInstallation.test(step)) return undefined;
  const where = `base ${name} cannot be built`;
  if ([error, ...log].some((line) => noShell.test(line)))
    return new PlatformError("base-shell-missing", {
      what: `${where}: the image that its packages are installed on has no /bin/sh`,
      rule: "packages are installed by the base's own shell and package manager",
      fix: "pin a base that has both, or take the packages away: policy-platform:base.packages",
    });
  if ([error, ...log].some(saysDiskFull))
    return new PlatformError("disk-full", {
      what: `${where}: no space left for its packages`,
      rule: "an image is built where the Docker engine keeps its data",
      fix: "free space there and run it again",
    });
  const said = log.flatMap((line) => {
    const [, code, sentence] = ownLine.exec(line) ?? [];
    return code !== undefined && sentence !== undefined && ways.has(code) ? [{ code, sentence }] : [];
  });
  const first = said[0];
  if (!first) return undefined;
  const told = [...said.map(({ sentence }) => printable(sentence, 500)), ...reasons(first.code, log)];
  return new PlatformError(first.code, { what: `${where}: ${told.join(", ")}`, ...ways.get(first.code)! });
}

/** What the package manager itself gave as the reason, where the script cannot know it. */
function reasons(code: string, log: readonly string[]): string[] {
  if (code !== "base-index" && code !== "base-install") return [];
  return log
    .filter((line) => /^(E|ERROR|WARNING): /.test(line))
    .slice(-3)
    .map((line) => printable(line));
}
