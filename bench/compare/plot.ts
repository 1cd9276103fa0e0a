// Draws the comparison: for each scenario a bar of the script and one of this program; bytes on scales of powers of ten.
import { type Comparison, type Run, size, time, titles } from "./results";

const sides = [
  { of: "script", name: "Dockerfile and docker push", colour: "#d0822a" },
  { of: "pulumi", name: "pulumi up", colour: "#3b82d6" },
] as const;

interface Panel {
  readonly title: string;
  readonly value: (run: Run) => number;
  readonly label: (value: number) => string;
  /** Ends of the scale; a logarithmic one where the first is not 0. */
  readonly from: number;
  readonly to: (most: number) => number;
  readonly ticks: (to: number) => readonly number[];
}

const powersOfTen = {
  label: size,
  from: 1e3,
  to: (most: number) => 10 ** Math.ceil(Math.log10(Math.max(most, 1e6))),
  ticks: (to: number) => [1e3, 1e6, 1e9].filter((tick) => tick <= to),
};

const panels: readonly Panel[] = [
  { ...powersOfTen, title: "uploaded", value: ({ up }) => up },
  { ...powersOfTen, title: "downloaded", value: ({ down }) => down },
  {
    title: "time",
    value: ({ seconds }) => seconds,
    label: time,
    from: 0,
    to: (most) => Math.max(30, Math.ceil(most / 30) * 30),
    ticks: (to) => [0, to / 2, to],
  },
];

const left = 148;
const panelWidth = 190;
const panelGap = 84;
const top = 72;
const barHeight = 14;
const rowHeight = 44;

/** A whole SVG document, the same for the same numbers. Text takes the colour of the reader's light or dark page. */
export function plot({ rows, measured }: Comparison): string {
  const width = left + panels.length * (panelWidth + panelGap);
  const bottom = top + rows.length * rowHeight;
  const height = bottom + 32;
  const drawn = panels.map((panel, index) => drawPanel(panel, left + index * (panelWidth + panelGap), rows, bottom));
  const names = rows.map(({ scenario }, index) =>
    text(left - 14, top + index * rowHeight + barHeight + 5, titles[scenario], "end"),
  );
  const legend = sides.map(({ name, colour }, index) => {
    const x = left + index * 220;
    return `${bar(x, 12, 12, colour, 12)}${text(x + 18, 22, name)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">What a release costs by a Dockerfile and docker push, and by pulumi up (measured ${measured})</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #57606a }
.small { font-size: 11px }
.strong { font-weight: 600 }
.grid { stroke: #8b949e; stroke-opacity: 0.35 }
@media (prefers-color-scheme: dark) { text { fill: #adbac7 } }
</style>
${[...legend, ...names, ...drawn].join("\n")}
</svg>
`;
}

function drawPanel(panel: Panel, x: number, rows: Comparison["rows"], bottom: number): string {
  const values = rows.flatMap((row) => sides.map(({ of }) => panel.value(row[of])));
  const to = panel.to(Math.max(...values));
  const reach = (value: number) => position(value, panel.from, to) * panelWidth;
  const grid = panel.ticks(to).map((tick) => {
    const at = round(x + reach(tick));
    const line = `<line class="grid" x1="${at}" x2="${at}" y1="${top - 6}" y2="${bottom - 4}"/>`;
    return line + text(at, bottom + 14, panel.label(tick).replace(".0", ""), "middle", "small");
  });
  const bars = rows.flatMap((row, index) =>
    sides.map(({ of, colour }, side) => {
      const value = panel.value(row[of]);
      const y = top + index * rowHeight + side * (barHeight + 2);
      return (
        bar(x, y, reach(value), colour) +
        text(round(x + reach(value) + 5), y + 11, panel.label(value), "start", "small")
      );
    }),
  );
  return [text(x, top - 16, panel.title, "start", "strong"), ...grid, ...bars].join("\n");
}

/** 0 to 1. */
function position(value: number, from: number, to: number): number {
  const share = from === 0 ? value / to : Math.log10(Math.max(value, from) / from) / Math.log10(to / from);
  return Math.min(1, Math.max(0, share));
}

function bar(x: number, y: number, width: number, colour: string, height = barHeight): string {
  return width === 0
    ? ""
    : `<rect x="${x}" y="${y}" width="${round(width)}" height="${height}" rx="2" fill="${colour}"/>`;
}

function text(x: number, y: number, words: string, anchor = "start", name?: string): string {
  const attributes = `${name ? ` class="${name}"` : ""}${anchor === "start" ? "" : ` text-anchor="${anchor}"`}`;
  return `<text x="${x}" y="${y}"${attributes}>${words}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
