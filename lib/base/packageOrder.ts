// Which of two versions of a package is the newer one, as dpkg orders them (deb-version(7)); apk's suffixes fit into it.

/** Below 0 when `a` is older. Texts that differ may be equal in order: `1.0` and `1.00`. */
export function comparePackageVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  return (
    left.epoch - right.epoch || compareText(left.upstream, right.upstream) || compareText(left.revision, right.revision)
  );
}

/** `epoch:upstream-revision`; a missing revision orders as 0. apk's `_rc1` comes before the version, as `~rc1` does. */
function parts(version: string) {
  const [, epoch, rest] = /^(?:(\d{1,9}):)?(.*)$/s.exec(version.replace(/_(?=alpha|beta|pre|rc)/g, "~"))!;
  const at = rest!.lastIndexOf("-");
  const [upstream, revision] = at < 0 ? [rest!, "0"] : [rest!.slice(0, at), rest!.slice(at + 1)];
  return { epoch: Number(epoch ?? 0), upstream, revision };
}

/** Texts and numbers in turn: texts by letter, numbers by value. */
function compareText(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.match(/\D+|\d+/g) ?? []).map(inTurn) as [string[], string[]];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [one, other] = [left[index] ?? "", right[index] ?? ""];
    const order = index % 2 === 0 ? compareLetters(one, other) : compareNumbers(one, other);
    if (order !== 0) return order;
  }
  return 0;
}

/** Begins with a text, that may be empty. */
function inTurn(pieces: readonly string[]): string[] {
  return /^\d/.test(pieces[0] ?? "") ? ["", ...pieces] : [...pieces];
}

/** `~` comes before the end, the end before letters, letters before all else. */
function compareLetters(a: string, b: string): number {
  const rank = (text: string, index: number) => {
    const letter = text[index];
    if (letter === undefined) return 0;
    if (letter === "~") return -1;
    return /[A-Za-z]/.test(letter) ? letter.charCodeAt(0) : letter.charCodeAt(0) + 256;
  };
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const order = rank(a, index) - rank(b, index);
    if (order !== 0) return order;
  }
  return 0;
}

function compareNumbers(a: string, b: string): number {
  const [left, right] = [a, b].map((digits) => digits.replace(/^0+/, "")) as [string, string];
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}
