// stand-in: the engine's part in a stack that promotes, in process: the real plan, then the real handlers in the order of the
// component Release, with check, diff, create or update, and a state that keeps what ended well.
import type { Digest } from "../../lib/oci/digest";
import { type PromotionPlan, planPromotion } from "../../lib/plan/promotion";
import { repositoryNames, Separator } from "../../lib/registry/names";
import { stackClient } from "../../lib/registry/stackClient";
import { copy } from "../../provider/copy";
import type { ResourceContext, ResourceHandler, Values } from "../../provider/host";
import { TagRole } from "../../provider/resources/tag";
import { tag } from "../../provider/tag";

/** Key `promotion` of a stack file. */
export interface Promotion {
  readonly from: string;
  readonly version: string;
  readonly digest: Digest;
  readonly commit: string;
  readonly rollback?: boolean;
}

export interface RunOptions {
  /** Aborted when the engine is killed. */
  readonly signal?: AbortSignal;
  /** As `--refresh`. */
  readonly refresh?: boolean;
}

interface Resource {
  readonly type: string;
  readonly id: string;
  readonly inputs: Values;
  readonly outputs: Values;
}

export class PromotingStack {
  /** By name of the resource. */
  readonly state = new Map<string, Resource>();
  /** `create release-copy`, `update release-latest`: what the last run did, in order. */
  readonly steps: string[] = [];
  readonly #registry: { address: string; separator: Separator; insecure: boolean };

  constructor(
    readonly host: string,
    readonly image = "policy-platform",
  ) {
    this.#registry = { address: host, separator: Separator.slash, insecure: false };
  }

  /** Repository of the releases here, `host/path`. */
  get to(): string {
    return repositoryNames(this.#registry).releases(this.image);
  }

  /** What a preview reads and says; it writes nothing. */
  async preview(promotion: Promotion): Promise<PromotionPlan> {
    const plan = await this.#plan(promotion);
    for (const [name, type, handler, inputs] of this.#resources(promotion, plan))
      await this.#makeSo(name, type, handler, inputs, { preview: true });
    return plan;
  }

  async up(promotion: Promotion, { signal, refresh }: RunOptions = {}): Promise<PromotionPlan> {
    this.steps.length = 0;
    if (refresh) await this.#refresh();
    const plan = await this.#plan(promotion);
    for (const [name, type, handler, inputs] of this.#resources(promotion, plan)) {
      signal?.throwIfAborted();
      await this.#makeSo(name, type, handler, inputs, { signal });
    }
    return plan;
  }

  async #refresh(): Promise<void> {
    for (const [name, { type, id, inputs, outputs }] of this.state) {
      const found = await handlers[type]!.read!(contextOf(name, type, {}), id, inputs, outputs);
      if (found) this.state.set(name, { type, ...found });
      else this.state.delete(name);
    }
  }

  #plan(promotion: Promotion): Promise<PromotionPlan> {
    const settings = {
      registry: this.#registry,
      image: { name: this.image },
      promotion: { rollback: false, ...promotion },
    };
    const state = async () => Object.fromEntries(this.state);
    return planPromotion(stackClient(settings.registry), settings, { stack: "prod", state });
  }

  #resources({ from, version, digest }: Promotion, { inputDigest, commitTag }: PromotionPlan) {
    const named = { digest, inputDigest, promotedFrom: from, repository: this.to };
    const tagOf = (role: TagRole, name: string): [string, string, ResourceHandler, Values] => [
      `release-${role}`,
      tagType,
      tag,
      { ...named, role, tag: name },
    ];
    const copied: [string, string, ResourceHandler, Values] = [
      "release-copy",
      copyType,
      copy,
      { from, to: this.to, digest, promoted: true },
    ];
    return [
      copied,
      tagOf(TagRole.commit, commitTag),
      tagOf(TagRole.version, version),
      tagOf(TagRole.latest, "latest"),
    ] as const;
  }

  async #makeSo(
    name: string,
    type: string,
    handler: ResourceHandler,
    news: Values,
    options: { readonly preview?: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    const context = contextOf(name, type, options);
    const old = this.state.get(name);
    const { inputs, failures = [] } = await handler.check!(context, old?.inputs, news);
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
    if (!old) {
      const created = await handler.create(context, inputs);
      if (options.preview) return;
      this.state.set(name, { type, inputs, ...created });
      this.steps.push(`create ${name}`);
      return;
    }
    const { changes } = await handler.diff!(context, old.id, old.inputs, old.outputs, inputs);
    if (Object.keys(changes).length === 0) return;
    const outputs = await handler.update(context, old.id, old.inputs, old.outputs, inputs);
    if (options.preview) return;
    this.state.set(name, { type, id: old.id, inputs, outputs });
    this.steps.push(`update ${name}`);
  }
}

const copyType = "policychain:index:Copy";
const tagType = "policychain:index:Tag";
const handlers: Readonly<Record<string, ResourceHandler>> = { [copyType]: copy, [tagType]: tag };

/** One call of the engine about one resource. */
export function contextOf(
  name: string,
  type: string,
  { preview = false, signal }: { readonly preview?: boolean; readonly signal?: AbortSignal },
): ResourceContext {
  return {
    urn: `urn:pulumi:prod::policy-platform::${type}::${name}`,
    signal: signal ?? new AbortController().signal,
    preview,
    timeoutSeconds: 0,
    configuration: {},
    progress: () => undefined,
    info: () => undefined,
    warn: () => undefined,
  };
}
