// The shared frame of every provider in this repository: the policychain plugin and the closed-network plugins.
export { type Change, type DiffResult, diffInputs } from "./diff";
export {
  type CheckResult,
  type Failure,
  type ResourceContext,
  type ResourceHandler,
  Unfinished,
} from "./handler";
export { serve } from "./serve";
export {
  containsUnknown,
  fromWire,
  isSecret,
  isUnknown,
  isValues,
  secret,
  toWire,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "./values";
