// Runs test files, each in a process of its own, two at a time: what each prints is shown in one piece when it has ended.
import { spawn } from "node:child_process";

/**
 * Files that run while no other does, and why. Any other file may run beside any other: it has its own registry, project, state,
 * cache folder and ports. What they share is the Docker engine, of which each looks at its own images and containers alone.
 */
export const alone = {
  "test/provider/pluginEnd.test.ts": "measures starts in milliseconds, and holds the end of a run to a second",
  "test/e2e/kills.test.ts": "works on two stands side by side, and holds the end of processes to two seconds",
  "test/e2e/local.test.ts": "holds a start to ten seconds, and this machine's network to what it was",
  "test/e2e/programErrors.test.ts": "holds errors to two seconds more than a preview takes",
};

/** The longest, begun before all others: begun at last, one of them would end long after the rest. */
const first = [
  "test/provider/gatePolicies.test.ts",
  "test/provider/promotionFaults.test.ts",
  "test/provider/promotionNotes.test.ts",
  "test/e2e/refusals.test.ts",
  "test/e2e/chartGate.test.ts",
  "test/e2e/corpus.test.ts",
  "test/e2e/basePackages.test.ts",
];

/**
 * Runs each file by `command` and its name. Returns how many tests passed and failed, and the files that failed. A process that
 * ends with an error though no test failed, and a file without a test (but with `withoutTests`), count as a failed test.
 */
export async function runFiles(files, { command, env, withoutTests = false, apart = alone, write = console.log }) {
  const total = { passed: 0, failed: 0, files: [] };
  const run = async (file) => {
    write(`${file} …`);
    const start = Date.now();
    const { code, output } = await outputOf([...command, file], env);
    const result = resultOf(output, code, withoutTests);
    const note = result.note ? [`  ${result.note}`] : [];
    write(["", `${file}: ${((Date.now() - start) / 1000).toFixed(1)} s`, output.trimEnd(), ...note, ""].join("\n"));
    total.passed += result.passed;
    total.failed += result.failed;
    if (result.failed > 0) total.files.push(file);
  };
  const order = (file) => (first.includes(file) ? first.indexOf(file) : first.length);
  const queue = files.filter((file) => !Object.hasOwn(apart, file)).sort((one, other) => order(one) - order(other));
  const lane = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) await run(file);
  };
  await Promise.all([lane(), lane()]);
  for (const file of files) if (Object.hasOwn(apart, file)) await run(file);
  return total;
}

/** Counts from mocha's own summary, and says why a file counts as failed that mocha does not call so. */
export function resultOf(output, code, withoutTests = false) {
  const count = (word) => Number(output.match(new RegExp(`^\\s+(\\d+) ${word}`, "m"))?.[1] ?? 0);
  const passed = count("passing");
  const failed = count("failing");
  if (failed > 0) return { passed, failed };
  if (code !== 0) return { passed, failed: 1, note: `✗ its process ended with ${code}` };
  if (passed === 0 && !withoutTests) return { passed, failed: 1, note: "✗ it has no test" };
  return { passed, failed };
}

function outputOf([program, ...args], env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? signal, output }));
  });
}
