// policy-platform pin --latest: the newest version of one entry, from where its releases or its image are.
import { catalogued } from "../config/catalogued";
import { valueAt } from "../config/issues";
import { quoted } from "../config/problems";
import { PlatformError } from "../lib/errors";
import { parseReference } from "../lib/oci/reference";
import { latestPage, latestRelease, latestTag, versionIn } from "../lib/pins/latest";
import { type Lookup, mirrorsOf } from "./pinSources";

/** The version to pin. Errors: `latest-unknown`, `pin-argument` beside a version, and those of who is asked. */
export async function newestVersion(lookup: Lookup): Promise<string> {
  const { path, raw, version, stack } = lookup;
  if (version !== undefined) {
    throw new PlatformError("pin-argument", {
      what: `a version, ${quoted(version)}, and --latest`,
      rule: "an entry is moved to one version",
      fix: "leave one of them out",
    });
  }
  const image = imageOf(lookup);
  if (image !== undefined) return newestTag(lookup, image);
  const url = valueAt(raw, [...path, "release", "url"]);
  const known = path[0] === "tools" ? catalogued(path[1]) : undefined;
  const page = known?.latest ?? latestPage(known ? known.url("1.0.0") : typeof url === "string" ? url : "");
  if (page !== undefined) return latestRelease(page, { mirrors: mirrorsOf(raw) });
  throw new PlatformError("latest-unknown", {
    what: `nothing says where the newest version of ${path.join(".")} stands`,
    rule: "it is looked up for tools of the catalogue, releases on GitHub, and images with tags",
    fix: `policy-platform pin ${path.join(".")} VERSION --stack ${stack}`,
  });
}

/** The image of an entry as it is written; undefined where it has none. */
function imageOf({ path, raw }: Lookup): string | undefined {
  const image = valueAt(raw, [...path, "image"]);
  const text = typeof image === "object" ? valueAt(image, ["reference"]) : image;
  return typeof text === "string" ? text : undefined;
}

async function newestTag({ client, path, stack }: Lookup, image: string): Promise<string> {
  const { registry, path: repository, tag } = parseReference(image.replace(/@.*$/s, ""));
  const newest = latestTag(await client.tags({ registry, path: repository }), tag);
  // A tool's version is what it prints; what stands around it in the tag stays as it is.
  if (newest !== undefined) return path[0] === "tools" ? versionIn(newest)! : newest;
  throw new PlatformError("latest-unknown", {
    what: `${registry}/${repository} has no version among its tags${tag === undefined ? "" : ` that is written like ${quoted(tag)}`}`,
    rule: "the newest version is the highest tag of the form 1.2.3, with what stands around the numbers of the present one",
    fix: `policy-platform pin ${path.join(".")} TAG --stack ${stack}`,
  });
}
