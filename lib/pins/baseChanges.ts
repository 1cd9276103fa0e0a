// What changed in a base with packages, package by package, where both bases say what they are made of.
import { comparePackageVersions } from "../base/packageOrder";
import { type BasePins, managers } from "../base/packages";
import type { Digest } from "../oci/digest";
import { bothNames, type Change, change, digestChange } from "./change";
import { pick } from "./model";

/** What bases are made of; undefined for one without packages, or one that does not say. */
export interface Bases {
  readonly old?: BasePins;
  readonly next?: BasePins;
}

/** Lines for so many packages; with more the digest alone is shown. */
const most = 40;

/** One line for each package that differs and one for the image below them; else one for the base as a whole. */
export function baseChanges(old: Digest, next: Digest, bases: Bases): Change[] {
  if (old === next) return [];
  const whole = (detail?: string) => [digestChange("base-changed", "base.image", old, next, detail)];
  // Of a base that is used as it is nobody knows here what is in it, unless it is what packages are installed on now.
  if (!bases.next) return whole();
  const before = bases.old ?? { image: old, packages: {} };
  const packages = managers.flatMap((manager) => {
    const [was, is] = [before.packages[manager] ?? {}, bases.next!.packages[manager] ?? {}];
    return bothNames(was, is).flatMap((name) =>
      packageChange(`base.packages.${manager}.${name}`, pick(was, name), pick(is, name)),
    );
  });
  if (packages.length > most) return whole(`${packages.length} packages`);
  const { image } = bases.next;
  const below = before.image === image ? [] : [digestChange("base-changed", "base.image", before.image, image)];
  const changes = [...below, ...packages];
  return changes.length > 0 ? changes : whole("built again");
}

function packageChange(name: string, old: string | undefined, next: string | undefined): Change[] {
  if (old === next) return [];
  if (old === undefined || next === undefined)
    return [change(next === undefined ? "package-removed" : "package-added", name, old, next)];
  const direction = comparePackageVersions(next, old);
  const kind = direction > 0 ? "package-raised" : direction < 0 ? "package-lowered" : "package-changed";
  return [change(kind, name, old, next)];
}
