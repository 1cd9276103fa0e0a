// Makes the Pulumi SDK load without npm's own dependency solver, which is a sixth of what an empty program costs: the SDK
// needs it only to find the packages of a serialised function, and this program serialises none. Import it before the SDK.
import Module, { createRequire } from "node:module";

/** The one class that the SDK takes from the solver. */
interface Solver {
  readonly Arborist: new (options: unknown) => object;
}

function deferSolver(): void {
  const sdk = createRequire(require.resolve("@pulumi/pulumi"));
  const path = solverPath(sdk);
  if (path === undefined || path in require.cache) return;
  const standIn = new Module(path);
  const solver = () => {
    if (require.cache[path] === standIn) delete require.cache[path];
    return sdk(path) as Solver;
  };
  standIn.filename = path;
  standIn.loaded = true;
  standIn.exports = {
    Arborist: class {
      constructor(options: unknown) {
        // biome-ignore lint/correctness/noConstructorReturn: what is made is the real one
        return new (solver().Arborist)(options);
      }
    },
  } satisfies Solver;
  require.cache[path] = standIn;
}

/** Undefined for an SDK that has no solver any more. */
function solverPath(sdk: NodeJS.Require): string | undefined {
  try {
    return sdk.resolve("@npmcli/arborist");
  } catch {
    return undefined;
  }
}

deferSolver();
