// What a provider built on this frame gives: one handler per resource type, and the provider's own few answers.
import type { DiffResult } from "./diff";
import type { Values } from "./values";

/** One call of the engine about one resource. */
export interface ResourceContext {
  readonly urn: string;
  /** Aborted when the run is cancelled or the engine is gone, and when the resource's time-out is over. */
  readonly signal: AbortSignal;
  /** True for a dry run of create or update: nothing may be written, inputs may hold UNKNOWN. */
  readonly preview: boolean;
  /** The user's customTimeouts in seconds; 0 when there is none. */
  readonly timeoutSeconds: number;
  /** The provider's own configuration, secrets in clear. */
  readonly configuration: Values;
  /** A passing line about long work. Throttled: nothing in the first second, then one line every three. */
  progress(text: string): void;
  /** A line that stays on the screen. */
  info(text: string): void;
  /** A warning at the resource, and in the summary of the run. */
  warn(text: string): void;
}

/** A problem with one input; the engine shows `property <property> value {…} has a problem: <reason>`. */
export interface Failure {
  readonly property: string;
  readonly reason: string;
}

export interface CheckResult {
  readonly inputs: Values;
  readonly failures?: readonly Failure[];
}

export interface CreateResult {
  readonly id: string;
  readonly outputs: Values;
}

export interface ReadResult {
  readonly id: string;
  /** Without them a drift is shown without from → to. */
  readonly inputs: Values;
  readonly outputs: Values;
}

/**
 * The life of one resource type. Values hold UNKNOWN and Secret marks where the program had them; what a handler
 * returns should echo the inputs with their marks. A thrown PlatformError is shown as its sentence.
 */
export interface ResourceHandler {
  /** Validates and normalises. `olds` are the inputs in the state, absent at the first run. Default: inputs as they are. */
  check?(context: ResourceContext, olds: Values | undefined, news: Values): Promise<CheckResult>;
  /** Default: {@link diffInputs} of old and new inputs. */
  diff?(
    context: ResourceContext,
    id: string,
    oldInputs: Values,
    oldOutputs: Values,
    newInputs: Values,
  ): Promise<DiffResult>;
  create(context: ResourceContext, inputs: Values): Promise<CreateResult>;
  /** `undefined`: the resource is gone. A throw: not known, the state stays and the command fails. Default: as in the state. */
  read?(context: ResourceContext, id: string, inputs: Values, outputs: Values): Promise<ReadResult | undefined>;
  /** Returns the outputs. */
  update(
    context: ResourceContext,
    id: string,
    oldInputs: Values,
    oldOutputs: Values,
    newInputs: Values,
  ): Promise<Values>;
  /** Default: forgets the resource. */
  delete?(context: ResourceContext, id: string, outputs: Values): Promise<void>;
}

/**
 * Thrown by create, update, read and delete for a resource that is there and not as it should be: the engine keeps it in the state
 * with the reason, and tries again at the next update. Only for resources of which half is worth knowing of.
 */
export class Unfinished extends Error {
  constructor(
    readonly id: string,
    readonly outputs: Values,
    readonly inputs: Values,
    reason: string,
  ) {
    super(reason);
    this.name = "Unfinished";
  }
}

export interface ProviderDefinition {
  /** The package's name, as in its tokens. */
  readonly name: string;
  readonly version: string;
  /** The package's schema, JSON text. */
  schema(): string;
  /** Validates the provider's configuration. Default: as it is. */
  checkConfig?(news: Values): Promise<CheckResult>;
  /** Called once before the first resource. `id` is the provider's own in the state: one that is replaced has a new one. */
  configure?(context: ResourceContext, configuration: Values, id: string | undefined): Promise<void>;
  /** Token → handler, made at its first use so that a start loads nothing that is not needed. */
  readonly resources: Readonly<Record<string, () => ResourceHandler>>;
  /** Serves all tokens that are not in `resources`; undefined for one that it does not know. Default: there are none. */
  otherResources?(token: string): ResourceHandler | undefined;
  /** Default: {@link diffInputs} of the old and the new configuration. */
  diffConfig?(olds: Values, news: Values, signal: AbortSignal): Promise<DiffResult>;
  /** Called before the process ends, whatever ends it; must not take time. */
  stop?(): void;
}
