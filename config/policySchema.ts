// The keys of one policy repository.
import { z } from "zod";
import * as addresses from "./addresses";
import * as grammar from "./grammar";
import * as paths from "./pathGrammar";
import { text } from "./schemaParts";

const gitSource = z
  .strictObject({
    url: text(addresses.gitUrl, "Where the repository is; git finds credentials itself, outside of this file"),
    commit: text(grammar.pinnedCommit, "The commit; `pin NAME BRANCH` writes that of a branch or a tag"),
    path: text(paths.innerFolder, "The folder of it that holds the policies; default: the whole repository").optional(),
    digest: text(
      addresses.digest,
      "Digest of the layer image that the folder becomes; without it a preview may not know the image. `pin` fills it in",
    ).optional(),
  })
  .meta({
    description:
      "A commit of a git repository; its files are taken as they are in git, without filters or line ends changed",
    rule: "a git source is a map of url, commit, path and digest",
  });

/** An entry of `policies`. */
export const policyRepository = z
  .strictObject({
    folder: text(
      paths.folderPath,
      "A folder, relative to the project; `.git`, `tests/` and what `.policyignore` names stay out of the image",
    ).optional(),
    image: text(
      addresses.pinnedImage,
      "An image by digest: a layer image that `policy-platform repository push` made, or any image together with `path`",
    ).optional(),
    path: text(
      paths.imageFolder,
      "The folder of a foreign image, which is repacked; absent for a layer image",
    ).optional(),
    digest: text(
      addresses.digest,
      "Digest of the layer image that the folder of a foreign image becomes; `pin` fills it in",
    ).optional(),
    git: gitSource.optional(),
  })
  .meta({
    description:
      "One policy repository, found under `/repos/<name>` in the image; it has exactly one of `folder`, `image` and `git`",
    rule: "a policy repository is a map of one of folder, image and git",
  });
