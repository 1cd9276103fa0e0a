// The keys of one tool.
import { z } from "zod";
import * as addresses from "./addresses";
import * as grammar from "./grammar";
import * as paths from "./pathGrammar";
import { text } from "./schemaParts";

const toolImage = z
  .strictObject({
    reference: text(addresses.pinnedImage, "The image, by digest"),
    member: text(
      paths.memberPath,
      "The tool's file in a foreign image, which is repacked; absent for a layer image",
    ).optional(),
    digest: text(
      addresses.digest,
      "Digest of the layer image that a foreign image is repacked to; `pin` fills it in",
    ).optional(),
  })
  .meta({
    description: "The tool as an image. A text is short for `{reference: …}`, a layer image",
    rule: "an image is a reference by digest, or a map of reference, member and digest",
  });

const toolRelease = z
  .strictObject({
    url: text(addresses.downloadUrl, "Where the release is downloaded; `pin` knows it for the tools of the catalogue"),
    sha256: text(addresses.checksum, "Checksum of the download; `pin` fills it in"),
    digest: text(
      addresses.digest,
      "Digest of the layer image that the release becomes; without it a preview cannot know the image. `pin` fills it in",
    ).optional(),
    member: text(paths.memberPath, "The tool's file in the archive; the catalogue knows it for its tools").optional(),
  })
  .meta({
    description:
      "The tool as a download: a zip, tar, tar.gz, tar.xz or the program itself, checked against its checksum",
    rule: "a release is a map of url, sha256, digest and member",
  });

const toolSmoke = z
  .strictObject({
    args: z
      .array(text(grammar.argument, "One argument"))
      .max(20)
      .meta({
        description: "What the tool is given so that it prints its version; the gate starts it by its own `path`",
        rule: grammar.argument.rule,
        examples: [["version"]],
      }),
    expect: text(
      grammar.expectation,
      "How the version is found in what is printed: group 1 is the version; without a group, what matches must hold it",
    ),
  })
  .meta({
    description: "How the gate asks the tool for its version; the catalogue knows it for its tools",
    rule: "a smoke check is a map of args and expect",
  });

/** An entry of `tools`. */
export const tool = z
  .strictObject({
    version: text(grammar.toolVersion, "The version, which the tool must print in the gate"),
    path: text(paths.imagePath, "Where the tool stands in the image; default `/usr/local/bin/<name>`").optional(),
    image: toolImage.optional(),
    release: toolRelease.optional(),
    smoke: toolSmoke.optional(),
  })
  .meta({
    description: "One tool; it has exactly one of `image` and `release`",
    rule: "a tool is a map of version and one of image and release",
  });
