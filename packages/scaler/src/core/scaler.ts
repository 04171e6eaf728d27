import { Capacity, type Caps } from "./capacity.ts";
import { FreshWork } from "./fresh-work.ts";
import type { ImagePolicy } from "./image-policy.ts";
import { NodeFeed } from "./node-feed.ts";
import { type NodeSpec, nodeName, specDigest } from "./node-spec.ts";
import type { CreateContext, LogChunk, LogOptions, Offer, Plan, Platform, PlatformNode } from "./platform.ts";
import { RecentIds } from "./recent-ids.ts";
import { ScalerError } from "./scaler-error.ts";
import { SharedWork } from "./shared-work.ts";

export interface ScalerOptions {
  readonly clusterId: string;
  readonly platforms: readonly Platform[];
  readonly imagePolicy: ImagePolicy;
  readonly caps: Caps;
  readonly platformCaps: ReadonlyMap<string, Caps>;
  /** Longest that a creation may take, pull and start included. */
  readonly createMs: number;
  /** Pause between two looks at the platforms while somebody watches. */
  readonly watchIntervalMs: number;
}

/** Offers vanish while one looks at them, and some machines never start: so many are tried before the caller is told. */
const OFFERS_TRIED_MAX = 5;

/** What a creation would make, and the node that has its key already. */
export interface PlannedNode {
  readonly plan: Plan;
  readonly existing: PlatformNode | null;
}

/** Makes, lists and removes nodes over all platforms. It keeps no list of its own: what the platforms say is what there is. */
export class Scaler {
  readonly #options: ScalerOptions;
  readonly #platforms: ReadonlyMap<string, Platform>;
  readonly #capacity: Capacity;
  readonly #creations = new SharedWork<PlatformNode>();
  readonly #removals = new SharedWork<void>();
  /** Ids that were seen in a list: what was ours once is deleted without complaint when it is gone. */
  readonly #known = new RecentIds(10_000);
  readonly #lists = new FreshWork(() => this.#list());
  readonly #feed: NodeFeed;

  constructor(options: ScalerOptions) {
    this.#options = options;
    this.#platforms = new Map(options.platforms.map((platform) => [platform.name, platform]));
    this.#capacity = new Capacity(options.caps, options.platformCaps);
    this.#feed = new NodeFeed(() => this.list(), options.watchIntervalMs);
  }

  /** Every node of every platform. One platform that is away fails the whole list: half a list would read as nodes that are gone. */
  list(): Promise<readonly PlatformNode[]> {
    return this.#lists.run();
  }

  async get(nodeId: string): Promise<PlatformNode> {
    const node = (await this.list()).find((one) => one.nodeId === shortId(nodeId));
    if (!node) throw new ScalerError("not_found", `There is no node ${nodeId}.`);
    return node;
  }

  /** Every check of a creation, and nothing made. */
  async plan(spec: NodeSpec): Promise<PlannedNode> {
    const platform = this.#platformOf(spec.platform);
    this.#options.imagePolicy.check(spec.image);
    const existing = this.#existing(spec, await this.list());
    const plan = await platform.plan(spec);
    if (!existing) this.#capacity.check({ platform: platform.name, pricePerHour: plan.pricePerHour });
    return { plan, existing };
  }

  /** Makes a node, or gives back the one that has its idempotency key. Calls with one key share one creation, which is undone
   *  when the last of its callers is gone. */
  async create(spec: NodeSpec, context: CreateContext): Promise<PlatformNode> {
    const platform = this.#platformOf(spec.platform);
    this.#options.imagePolicy.check(spec.image);
    const name = nodeName(this.#options.clusterId, spec.idempotencyKey);
    const limit = AbortSignal.timeout(this.#options.createMs);
    const node = await this.#creations.run(`${name} ${specDigest(spec)}`, context.signal, (signal) =>
      this.#create(platform, spec, name, { onProgress: context.onProgress, signal: AbortSignal.any([signal, limit]) }),
    );
    this.#known.add(node.nodeId);
    this.#feed.refresh();
    return node;
  }

  /** Ends a node and takes it off the list. One that is gone already is fine; an id that was never ours is `not_found` or `foreign`. */
  async remove(nodeId: string): Promise<void> {
    const id = shortId(nodeId);
    const platforms = [...this.#platforms.values()].filter((platform) => platform.owns(id));
    if (platforms.length === 0) throw new ScalerError("invalid", `${nodeId} is no id of a node on any platform here.`);
    await this.#removals.run(id, null, async () => {
      const outcomes = await Promise.all(platforms.map((platform) => platform.remove(id)));
      this.#feed.refresh();
      if (outcomes.includes("removed")) return;
      if (outcomes.includes("foreign")) {
        throw new ScalerError("foreign", `${nodeId} was not made by this scaler and was left alone.`);
      }
      if (!this.#known.has(id)) throw new ScalerError("not_found", `There is no node ${nodeId}.`);
    });
  }

  async *logs(nodeId: string, options: LogOptions): AsyncIterable<LogChunk> {
    const id = shortId(nodeId);
    const platform = [...this.#platforms.values()].find((one) => one.owns(id));
    if (!platform) throw new ScalerError("not_found", `There is no node ${nodeId}.`);
    yield* platform.logs(id, options);
  }

  async offers(platformName: string, filter: NodeSpec["filter"], limit: number): Promise<readonly Offer[]> {
    return this.#platformOf(platformName).offers(filter, limit);
  }

  /** Who wants to hear of every change of the list. */
  get feed(): NodeFeed {
    return this.#feed;
  }

  /** Has each platform end what has no owner. A platform that is away is swept next time; its error is among the sentences. */
  async sweep(): Promise<readonly string[]> {
    const reports = await Promise.all(
      [...this.#platforms.values()].map(async (platform) => {
        try {
          return await platform.sweep();
        } catch (error) {
          if (!(error instanceof ScalerError)) throw error;
          return [`The sweep of ${platform.name} was put off: ${error.message}`];
        }
      }),
    );
    return reports.flat();
  }

  close(): void {
    this.#feed.close();
  }

  async #list(): Promise<readonly PlatformNode[]> {
    const listedAt = this.#capacity.beginList();
    const lists = await Promise.all([...this.#platforms.values()].map((platform) => platform.list()));
    const nodes = lists.flat();
    this.#capacity.observe(nodes, listedAt);
    for (const node of nodes) this.#known.add(node.nodeId);
    return nodes;
  }

  async #create(platform: Platform, spec: NodeSpec, name: string, context: CreateContext): Promise<PlatformNode> {
    if (this.#capacity.full) this.#capacity.check({ platform: platform.name, pricePerHour: 0 });
    const nodes = await this.list();
    const existing = this.#existing(spec, nodes);
    if (existing) return platform.finish(existing, context);
    // A key makes one node for as long as that lives: what ended by itself makes room, and stays for its logs.
    const ended = this.#withKeyOf(spec, nodes);
    if (ended) await this.#platformOf(ended.platform).remove(ended.nodeId);
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#createPlanned(platform, spec, name, context);
      } catch (error) {
        // The platform remembers what failed, so the next plan is another one.
        const again = error instanceof ScalerError && error.code === "offer_gone" && spec.offerId === null;
        if (!again || tries === OFFERS_TRIED_MAX) throw error;
      }
    }
  }

  async #createPlanned(
    platform: Platform,
    spec: NodeSpec,
    name: string,
    context: CreateContext,
  ): Promise<PlatformNode> {
    const plan = await platform.plan(spec);
    context.onProgress({ stage: "planned", progress: null, message: describePlan(spec, plan) });
    const reservation = this.#capacity.reserve({ name, platform: platform.name, pricePerHour: plan.pricePerHour });
    try {
      return await platform.create(spec, plan, name, context);
    } finally {
      // Made or not: a creation that failed half-way may have left something, and the next list will tell.
      reservation.release();
    }
  }

  /** The living node that has the spec's key already. Throws `key_reused` when it was made with other parameters. */
  #existing(spec: NodeSpec, nodes: readonly PlatformNode[]): PlatformNode | null {
    const existing = this.#withKeyOf(spec, nodes);
    if (!existing || existing.state === "failed") return null;
    if (existing.platform !== spec.platform || (existing.digest !== "" && existing.digest !== specDigest(spec))) {
      throw new ScalerError(
        "key_reused",
        `Idempotency key ${spec.idempotencyKey} made node ${existing.nodeId} with other parameters.`,
      );
    }
    return existing;
  }

  #withKeyOf(spec: NodeSpec, nodes: readonly PlatformNode[]): PlatformNode | null {
    if (spec.idempotencyKey === "") return null;
    const name = nodeName(this.#options.clusterId, spec.idempotencyKey);
    return nodes.find((node) => node.name === name && node.state !== "stopping") ?? null;
  }

  #platformOf(name: string): Platform {
    const platform = this.#platforms.get(name);
    if (platform) return platform;
    const known = [...this.#platforms.keys()].join(", ");
    throw new ScalerError(
      "invalid",
      `Platform ${name || "(empty)"} is unknown here; there is ${known}.${name === "vastai" ? " Start the scaler with VASTAI_API_KEY to have it." : ""}`,
    );
  }
}

function describePlan(spec: NodeSpec, plan: Plan): string {
  const where = plan.offer ? `${plan.offer.gpu} in ${plan.offer.location || "an unknown place"}` : spec.platform;
  return `${spec.image} on ${where} at $${plan.pricePerHour.toFixed(3)} an hour`;
}

/** Docker's ids are 64 characters long and go by their first 12. */
function shortId(nodeId: string): string {
  return /^[0-9a-f]{64}$/.test(nodeId) ? nodeId.slice(0, 12) : nodeId;
}
