// Words that are read in one way by `kyverno apply` and in another one by Flux's kustomize: a policy with such a word was checked as
// something else than a cluster would enforce. Found by giving both the same file: Kyverno 1.13 reads YAML 1.1 (sigs.k8s.io/yaml),
// kustomize-controller 1.7 reads YAML 1.2 with dates (kyaml).
import { isScalar, Scalar, visit } from "yaml";
import { PlatformError } from "../errors";
import { parseYaml } from "../policies/yaml";
import { printable } from "../printable";

/** What is written without quotes, and how it is read. */
const readings: readonly { readonly pattern: RegExp; readonly meaning: string; readonly fix: string }[] = [
  {
    pattern: /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/,
    meaning: "is true or false for kyverno apply and a text for a cluster",
    fix: "write true or false, or put it into quotes",
  },
  {
    pattern: /^\d{4}-\d\d?-\d\d?(?:[Tt ].*)?$/,
    meaning: "is a date, to which a cluster adds a time of day",
    fix: "put it into quotes",
  },
  {
    // Both read them alike, and this program does not.
    pattern: /^[-+]?(?:0[0-7_]+|0b[01_]+|(?:0x[\da-fA-F]*|\d[\d.]*)_[\da-fA-F_.]*)$/,
    meaning: "is a number that readers of YAML 1.1 and 1.2 take for two",
    fix: "write it in decimal, or put it into quotes",
  },
];

/** Such a word where a scalar may begin and end: most files have none, and are not parsed again. */
const hint = new RegExp(
  `(?:^[ \\t]*|[:?-][ \\t]+|["']:|[[{,][ \\t]*|[&!]\\S*[ \\t]+)(?:${readings.map(({ pattern }) => pattern.source.slice(1, -1)).join("|")})[ \\t]*(?:$|\\r|#|[,\\]}]|:(?=\\s|$))`,
  "m",
);

/** Refuses a file with such a word; `path` names it. What is no YAML is for others to refuse. Error: `artifact-ambiguous`. */
export function requireOneMeaning(path: string, content: Uint8Array): void {
  if (!hint.test(Buffer.from(content.buffer, content.byteOffset, content.length).toString("latin1"))) return;
  const { documents, lineAt } = parseYaml(content);
  for (const document of documents) {
    visit(document, {
      Scalar(_key, node) {
        if (!isScalar(node) || node.type !== Scalar.PLAIN || node.tag !== undefined) return;
        const found = readings.find(({ pattern }) => pattern.test(node.source ?? ""));
        if (found) throw ambiguous(`${path}:${lineAt(node.range?.[0] ?? 0)}`, node.source ?? "", found);
      },
    });
  }
}

function ambiguous(where: string, word: string, { meaning, fix }: (typeof readings)[number]): PlatformError {
  return new PlatformError("artifact-ambiguous", {
    what: `${where}: ${printable(word, 40)} ${meaning}`,
    rule: "what clusters enforce is what was checked, so every word of a policy is read in one way",
    fix,
  });
}
