// What Flux refuses of an artifact, and above all what it leaves out without a word: a policy that it drops would be enforced nowhere.
// Read off fluxcd/pkg tar (Untar) and sourceignore; https://fluxcd.io/flux/components/source/ocirepositories/#excluding-files
import { PlatformError } from "../errors";
import { quoted } from "../printable";

/** Bytes that an artifact may unpack to: what Flux's own reader takes where nobody raised it. */
export const maxArtifactBytes = 100 * 1024 * 1024;

/** Names of files and folders that the source-controller leaves out, at any depth. */
const droppedNames =
  /^(?:\.git|\.gitignore|\.gitmodules|\.gitattributes|\.travis\.yml|\.gitlab-ci\.yml|appveyor\.yml|\.drone\.yml|cloudbuild\.yaml|codeship-services\.yml|codeship-steps\.yml|\.goreleaser\.yml|\.sops\.yaml|\.flux\.yaml|.*\.(?:jpg|jpeg|gif|png|wmv|flv|tar\.gz|zip))$/;
/** Names that it leaves out of folders only. */
const droppedFolders = /^(?:\.github|\.circleci)$/;

/** Why Flux would not deliver a file of that path, for the end of a sentence; undefined where it does. */
export function undelivered(path: string): string | undefined {
  const steps = path.split("/");
  if (path.startsWith("/") || steps.some((step) => step === "" || step === "." || step === ".."))
    return "it is no plain relative path";
  if (path.includes("\\")) return "it holds a backslash, which Flux refuses";
  // Flux looks for `../` anywhere, also behind a name: `a../b`.
  if (path.includes("../")) return "it holds ../, which Flux refuses";
  if (/[\p{Cc}\u2028\u2029]/u.test(path)) return "it holds a control character";
  const dropped = steps.find(
    (step, index) => droppedNames.test(step) || (index < steps.length - 1 && droppedFolders.test(step)),
  );
  if (dropped !== undefined) return `Flux leaves out what is named ${dropped}`;
  return steps.at(-1) === ".sourceignore" ? "Flux would leave out what it names" : undefined;
}

/** Refuses files that would not reach a cluster. Errors: `artifact-path`, `artifact-too-large`. */
export function requireDeliverable(files: ReadonlyMap<string, Uint8Array>): void {
  const wrong = [...files.keys()].flatMap((path) => {
    const why = undelivered(path);
    return why === undefined ? [] : [`${quoted(path)}: ${why}`];
  });
  if (wrong.length > 0) {
    throw new PlatformError("artifact-path", {
      what: `${wrong.length === 1 ? "a policy file" : `${wrong.length} policy files`} would not reach a cluster: ${wrong.slice(0, 10).join(", ")}`,
      rule: "every file of an artifact is one that Flux unpacks and keeps",
      fix: "rename it, or leave it out with .policyignore",
    });
  }
  const bytes = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  if (bytes <= maxArtifactBytes) return;
  throw new PlatformError("artifact-too-large", {
    what: `the policies of an artifact have ${bytes} bytes`,
    rule: `Flux takes artifacts of at most ${maxArtifactBytes / 2 ** 20} MiB`,
    fix: "split the stack, or leave files out with .policyignore",
  });
}
