// Which values of Pulumi.local.yaml `npm run local` may change: those that it wrote itself and that still stand there.
import { type Edit, valueIn } from "../config/stackFile";

/** Values by path below `policy-platform:`: `{"tools.yq.image": "127.0.0.1:5000/layers/tools/yq@sha256:…"}`. */
export type Pins = Readonly<Record<string, string>>;

export interface PinDecision {
  readonly edits: readonly Edit[];
  /** What then stands there and is ours: the next run may change it. */
  readonly owned: Pins;
  /** What stands there otherwise and is the user's. */
  readonly kept: Pins;
}

/** A path that is not in the file was removed by its user, or gave way to another source: it is not added. */
export function decidePins(
  text: string,
  wanted: Pins,
  isOurs: (path: string, present: string) => boolean,
): PinDecision {
  const edits: Edit[] = [];
  const owned: Record<string, string> = {};
  const kept: Record<string, string> = {};
  for (const [path, value] of Object.entries(wanted)) {
    const present = readPin(text, path);
    if (present === undefined) continue;
    // Equal to what was just built is as good as written here, and an empty text is nobody's.
    if (present !== value && present !== "" && !isOurs(path, present)) {
      kept[path] = present;
      continue;
    }
    owned[path] = value;
    if (present !== value) edits.push({ path: path.split("."), value });
  }
  return { edits, owned, kept };
}

/** The value of a pin, when it is there. */
export function readPin(text: string, path: string): string | undefined {
  return valueIn(text, path.split("."));
}
