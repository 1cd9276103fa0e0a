// Every bound of the registry client, the layer writer and the downloads, in one place.

/** Bounds of the registry client and the downloads. Times in milliseconds, sizes in bytes. */
export interface Limits {
  /** Tries of one operation, the first included. Network faults, time-outs, 408, 429 and 5xx are tried again. */
  readonly attempts: number;
  /** Wait before the second try; doubles with each further one, and each wait is drawn from 50–100 % of that. */
  readonly firstWait: number;
  /** The longest single wait, also where `Retry-After` asks for more. */
  readonly longestWait: number;
  /** All waits of one operation together; when the next wait would pass it, the failure is reported. */
  readonly totalWait: number;
  /** From the request (its body sent) to the head of the answer. */
  readonly answerTime: number;
  /** Without a single byte in either direction while a body is under way. Total time is unbounded: layers have any size. */
  readonly idleTime: number;
  /** One download from a host of releases, all its tries together. */
  readonly downloadTime: number;
  /** From the last byte of an upload to its answer: registries hash and move the blob in that time. */
  readonly commitTime: number;
  /** Redirects followed for one request. */
  readonly redirects: number;
  /** Size of a manifest; 4 MiB is what the specification asks registries to take at least. */
  readonly manifestBytes: number;
  /** Size of a blob that is read into memory, where the caller names no other. */
  readonly blobBytes: number;
  /** Kept of an error's answer. */
  readonly errorBytes: number;
  /** Size of a token server's answer. */
  readonly tokenBytes: number;
  /** Size of one page of a tag list. */
  readonly tagPageBytes: number;
  /** Pages of a tag list. */
  readonly tagPages: number;
  /** Blobs of one graph that are copied at the same time. */
  readonly parallelBlobs: number;
  /** Nesting of indexes in one graph. */
  readonly indexDepth: number;
  /** Manifests in one graph. */
  readonly graphManifests: number;
}

export const defaultLimits: Limits = {
  attempts: 5,
  firstWait: 500,
  longestWait: 15_000,
  totalWait: 60_000,
  answerTime: 30_000,
  idleTime: 60_000,
  downloadTime: 1_800_000,
  commitTime: 300_000,
  redirects: 5,
  manifestBytes: 4 * 1024 * 1024,
  blobBytes: 64 * 1024 * 1024,
  errorBytes: 16 * 1024,
  tokenBytes: 1024 * 1024,
  tagPageBytes: 16 * 1024 * 1024,
  tagPages: 1000,
  parallelBlobs: 3,
  indexDepth: 4,
  graphManifests: 500,
};

/** Bounds of what is packed into a layer image and of what is read out of an image or an archive. Sizes in bytes. */
export interface ContentLimits {
  /** Entries of one layer or archive that is read. */
  readonly entries: number;
  /** Entries of one release archive. */
  readonly archiveEntries: number;
  /** All names in one release archive, in bytes of UTF-8. */
  readonly archiveNameBytes: number;
  /** Files of one policy folder. */
  readonly folderFiles: number;
  /** Content of one policy folder: a folder chosen by mistake (a home, a whole disk) is refused, not packed. */
  readonly folderBytes: number;
  /** One path, and one name in it, in bytes of UTF-8. */
  readonly pathBytes: number;
  readonly nameBytes: number;
  /** Content kept in memory when an image's files are read, where the caller names no other. */
  readonly keptBytes: number;
  /** Everything that one layer or archive may unpack to. */
  readonly unpackedBytes: number;
  /** Unpacked bytes for each packed one, beyond the first `ratioFloor` bytes: more is a decompression bomb. */
  readonly ratio: number;
  readonly ratioFloor: number;
  /** Size of one download. */
  readonly downloadBytes: number;
}

export const contentLimits: ContentLimits = {
  entries: 1_000_000,
  archiveEntries: 20_000,
  archiveNameBytes: 16 * 1024 * 1024,
  folderFiles: 20_000,
  folderBytes: 256 * 1024 * 1024,
  pathBytes: 4096,
  nameBytes: 255,
  keptBytes: 256 * 1024 * 1024,
  unpackedBytes: 8 * 1024 * 1024 * 1024,
  ratio: 100,
  ratioFloor: 64 * 1024 * 1024,
  downloadBytes: 1024 * 1024 * 1024,
};
