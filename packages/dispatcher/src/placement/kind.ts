import type { SpeedClass } from "../estimates.ts";
import { normalizeModel } from "../normalize-model.ts";
import { OrderedIndex } from "../ordered-index.ts";
import type { Provider } from "../provider.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import type { TaskClass } from "../state/task-class.ts";

/** Providers that may be given work, those with a free slot apart from the busy ones. */
export class Pool {
  /** By price, then idle longest. */
  readonly free = new OrderedIndex<ProviderRecord>(
    (a, b) => a.indexedCost - b.indexedCost || a.indexedIdleSinceMs - b.indexedIdleSinceMs || a.sequence - b.sequence,
    () => 0,
  );
  /** By price; the number is the instant at which a slot is free at the earliest, negative, so that the highest is the soonest. */
  readonly busy = new OrderedIndex<ProviderRecord>(
    (a, b) => a.indexedCost - b.indexedCost || a.indexedFreeAtMs - b.indexedFreeAtMs || a.sequence - b.sequence,
    (provider) => -provider.indexedFreeAtMs,
  );

  get size(): number {
    return this.free.size + this.busy.size;
  }
}

/** Providers between which only price, load and the warm model differ. */
export class Kind {
  readonly key: string;
  readonly legacy: boolean;
  /** Lower case; null when unknown. */
  readonly engine: string | null;
  readonly pipelines: ReadonlySet<string>;
  /** Normalized; null: all models. */
  readonly models: ReadonlySet<string> | null;
  readonly gpuType: string | null;
  readonly vramBytes: number | null;
  readonly imageInput: boolean;
  /** What its estimates are kept under. */
  readonly speed: SpeedClass;
  /** How much longer than its speed class its providers take: its speed bucket as a factor. */
  readonly slowness: number;
  /** Every available provider. */
  readonly all = new Pool();
  /** The same by the model in memory. */
  readonly warm = new Map<string, Pool>();
  /** Classes with waiting tasks that it can serve. */
  readonly classes = new Set<TaskClass>();
  /** Providers of this kind that are connected. */
  providers = 0;
  /** Their slots, and those of them that are free now. */
  slots = 0;
  freeSlots = 0;
  /** Available providers that are full but take tasks ahead. */
  withRoom = 0;

  constructor(key: string, offer: Provider, speed: SpeedClass, slowness: number) {
    this.key = key;
    this.legacy = offer.legacy;
    this.engine = offer.engine?.toLowerCase() ?? null;
    this.pipelines = new Set(offer.pipelines);
    this.models = offer.models.length === 0 ? null : new Set(offer.models.map(normalizeModel));
    this.gpuType = offer.gpuType?.toLowerCase() ?? null;
    this.vramBytes = offer.vramBytes;
    this.imageInput = offer.imageInput;
    this.speed = speed;
    this.slowness = slowness;
  }

  /** The pool of a warm model, made where it is new. */
  warmPool(model: string): Pool {
    let pool = this.warm.get(model);
    if (pool === undefined) {
      pool = new Pool();
      this.warm.set(model, pool);
    }
    return pool;
  }

  dropWarmPoolWhereEmpty(model: string): void {
    if (this.warm.get(model)?.size === 0) this.warm.delete(model);
  }
}

/** What makes a kind, as text. */
export function kindKeyOf(offer: Provider, bucket: number): string {
  const models = [...new Set(offer.models.map(normalizeModel))].sort();
  const { legacy, vramBytes, imageInput } = offer;
  const engine = offer.engine?.toLowerCase() ?? null;
  const gpuType = offer.gpuType?.toLowerCase() ?? null;
  return JSON.stringify([legacy, engine, [...offer.pipelines].sort(), models, gpuType, vramBytes, imageInput, bucket]);
}
