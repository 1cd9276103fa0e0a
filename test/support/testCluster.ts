// The local cluster that test files share, started by `npm test`: one of its own name, as what a person has in `dev` is none of theirs.
import { join } from "node:path";
import { chooseCluster } from "../../local/controlPlane/cluster";
import { layoutOf } from "../../local/layout";

export const testCluster = chooseCluster(layoutOf(join(__dirname, "..", "..")), { name: "tests" });
