// What the comparison is held to.
import type { Figure } from "../figure";
import { type Comparison, type Row, type ScenarioName, size, time, titles } from "./results";

const allowedUpload = 1 / 1000;
const allowedTime = 1 / 3;

/** The goals that the measured rows can tell of. */
export function figures({ rows }: Comparison): Figure[] {
  const row = (name: ScenarioName) => rows.filter(({ scenario }) => scenario === name);
  return [
    ...row("policy").flatMap(editFigures),
    ...row("base").map(baseFigure),
    ...(rows.length > 0 ? [sizeFigure(rows)] : []),
  ];
}

function editFigures({ script, pulumi }: Row): Figure[] {
  return [
    {
      what: `${titles.policy}: uploaded, beside the script`,
      goal: "≤ 1/1000",
      measured: `1/${Math.floor(script.up / pulumi.up).toLocaleString("en")} (${size(pulumi.up)} beside ${size(script.up)})`,
      met: pulumi.up <= allowedUpload * script.up,
    },
    {
      what: `${titles.policy}: time, beside the script with its docker run lines`,
      goal: "≤ 1/3",
      measured: `${(pulumi.seconds / script.seconds).toFixed(2)} × (${time(pulumi.seconds)} beside ${time(script.seconds)})`,
      met: pulumi.seconds <= allowedTime * script.seconds,
    },
  ];
}

function baseFigure({ script, pulumi }: Row): Figure {
  return {
    what: `${titles.base}: bytes of tools that are uploaded again`,
    goal: "0",
    measured: `${size(pulumi.blobs.toolBytes)} (the script: ${size(script.blobs.toolBytes)})`,
    met: pulumi.blobs.toolBytes === 0,
  };
}

function sizeFigure(rows: readonly Row[]): Figure {
  const ratios = rows.map(({ script, pulumi }) => pulumi.compressed / script.compressed);
  const most = Math.max(...ratios);
  const { script, pulumi } = rows[ratios.indexOf(most)]!;
  return {
    what: "the released image as it is stored, beside the script's, at most",
    goal: "≤ 1.0 ×",
    measured: `${most.toFixed(4)} × (${size(pulumi.compressed)} beside ${size(script.compressed)})`,
    met: most <= 1,
  };
}
