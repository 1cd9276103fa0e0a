// A folder of any image, its layers merged, as what ships is decided on.
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import type { RegistryClient } from "./client";
import { type ImageFile, readImageEntries } from "./layerFiles";
import { contentLimits } from "./limits";
import { formatReference, type PinnedReference } from "./reference";
import type { Kind, Tree, TreeItem } from "./tree";

/**
 * The folder at an absolute path of an image, as a container would see it, held in memory.
 * Errors: `image-folder-missing`, and those of `readImageEntries`.
 */
export async function readImageFolder(client: RegistryClient, image: PinnedReference, path: string): Promise<Tree> {
  const folder = path.replace(/^\/+|\/+$/g, "");
  const inside = folder === "" ? "" : `${folder}/`;
  const entries = await readImageEntries(client, image, image.digest, {
    maxBytes: contentLimits.folderBytes,
    only: (found) => found.startsWith(inside) || `${folder}/`.startsWith(`${found}/`),
  });
  const files = new Map(
    [...entries].flatMap(([at, file]) => (at.startsWith(inside) ? [[at.slice(inside.length), file]] : [])),
  );
  if (files.size === 0) throw missing(image, path, entries);
  return treeOver(files, `folder ${quoted(path)} of image ${formatReference(image)}`);
}

function treeOver(files: ReadonlyMap<string, ImageFile>, shown: string): Tree {
  const folders = new Map<string, Map<string, TreeItem>>();
  const note = (folder: string, name: string, kind: Kind) => {
    const items = folders.get(folder) ?? new Map<string, TreeItem>();
    folders.set(folder, items.set(name, { name: Buffer.from(name), kind }));
  };
  for (const [path, { special }] of files) {
    const steps = path.split("/");
    for (const [depth, name] of steps.entries()) {
      const folder = steps
        .slice(0, depth)
        .map((step) => `${step}/`)
        .join("");
      note(folder, name, depth < steps.length - 1 ? "folder" : (special ?? "file"));
    }
  }
  const read = (path: string) => files.get(path)!.bytes;
  return {
    shown,
    list: (folder) => [...(folders.get(folder)?.values() ?? [])],
    kindAt: (path) => {
      const file = files.get(path);
      if (file) return file.special ?? "file";
      return folders.has(`${path}/`) ? "folder" : undefined;
    },
    file: (path) => ({ size: read(path).length, executable: files.get(path)!.executable, open: () => read(path) }),
    read,
    linkTarget: (path) => files.get(path)!.target!,
  };
}

/** A link on the way is followed by a container, but not here: whoever pins should name what is there. */
function missing(image: PinnedReference, path: string, entries: ReadonlyMap<string, ImageFile>): PlatformError {
  const link = [...entries].find(([, { special }]) => special === "link");
  return new PlatformError("image-folder-missing", {
    what: `image ${formatReference(image)} has no folder ${quoted(path)} with files in it`,
    rule: "path names a folder of the image, from its root, without links on the way",
    fix: link
      ? `/${link[0]} is a link to ${quoted(link[1].target!)}: name the folder behind it`
      : "correct the key path",
  });
}
