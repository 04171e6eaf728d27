import { setTimeout as pause } from "node:timers/promises";
import { abortError } from "../../core/abort-error.ts";
import type { NodeSpec, OfferFilter } from "../../core/node-spec.ts";
import type {
  CreateContext,
  LogChunk,
  NodeState,
  Offer,
  Plan,
  Platform,
  PlatformNode,
  RemoveOutcome,
} from "../../core/platform.ts";
import { RecentIds } from "../../core/recent-ids.ts";
import { ScalerError } from "../../core/scaler-error.ts";
import { Avoided } from "./avoided.ts";
import { META_NAME, writeMeta } from "./instance-meta.ts";
import { instanceState, toNode } from "./instance-node.ts";
import { toOffer } from "./offer.ts";
import { searchBody } from "./search-body.ts";
import { type VastaiClient, VastaiRefused } from "./vastai-client.ts";
import type { VastaiInstance } from "./vastai-schemas.ts";

export interface VastaiPlatformOptions {
  readonly client: VastaiClient;
  readonly clusterId: string;
  /** Pause between two looks at an instance. */
  readonly pollMs: number;
  /** Longest from renting to running; then the instance is destroyed and its machine avoided. */
  readonly startMs: number;
  /** Time that a node has to drain between stop and destruction. */
  readonly stopGraceMs: number;
  /** How long a failed instance, which still pays for its disk, stays to be looked at. */
  readonly keepStoppedMs: number;
  readonly now: () => number;
}

/** How long an instance may take to vanish after its destruction was asked for. */
const DESTROY_MS = 120_000;
/** How long a machine that did not start is avoided; an offer that was gone, a shorter time. */
const BAD_MACHINE_MS = 24 * 3_600_000;
const GONE_OFFER_MS = 10 * 60_000;
/** Offers fetched for one plan: enough to find a good one behind many bad ones. */
const OFFERS_SEARCHED = 64;
/** The least disk that vast.ai rents. */
const DISK_GIGABYTES_MIN = 16;

/** Nodes as rented instances of vast.ai. An instance's label is its node's name, and the account's own list is the only memory: what
 *  is rented is labelled by the very request that rents it, so that nothing can run on unseen. */
export class VastaiPlatform implements Platform {
  readonly name = "vastai";
  readonly #client: VastaiClient;
  readonly #options: VastaiPlatformOptions;
  readonly #avoided: Avoided;
  /** Instances whose destruction was begun: nobody's nodes any more, ended by the sweep where vast.ai did not hear of it. */
  readonly #ending = new RecentIds(10_000);
  /** Names of creations that failed without it being known whether they had rented: what shows up under one is ended by the sweep. */
  readonly #givenUp = new RecentIds(10_000);
  /** State of each instance at the last sweep, and since when it is in it. */
  readonly #seen = new Map<number, { readonly state: NodeState; readonly sinceMs: number }>();

  constructor(options: VastaiPlatformOptions) {
    this.#client = options.client;
    this.#options = options;
    this.#avoided = new Avoided(options.now);
  }

  owns(nodeId: string): boolean {
    return /^[1-9][0-9]{0,18}$/.test(nodeId);
  }

  async list(): Promise<readonly PlatformNode[]> {
    return (await this.#instances()).map((instance) => ({ ...toNode(instance), state: this.#stateOf(instance) }));
  }

  async plan(spec: NodeSpec): Promise<Plan> {
    if (spec.network !== null)
      throw new ScalerError("invalid", "network is for platform local; vast.ai has none to choose.");
    const [offer] = await this.#search(spec.filter, spec, 1);
    if (!offer) {
      throw new ScalerError(
        "not_found",
        spec.offerId === null
          ? "vast.ai has no rentable offer that passes the filter."
          : `vast.ai has no rentable offer ${spec.offerId}.`,
      );
    }
    const resources = { ...spec.resources, gpus: offer.gpus };
    return { pricePerHour: offer.pricePerHour, offer, gpu: offer.gpu, resources, pull: false, warnings: [] };
  }

  async create(spec: NodeSpec, plan: Plan, name: string, context: CreateContext): Promise<PlatformNode> {
    const { offer } = plan;
    if (!offer) throw new ScalerError("not_found", "vast.ai has no offer for this node.");
    this.#givenUp.delete(name);
    const earlier = await this.#byName(name);
    if (earlier) return this.#untilRunning(earlier, context);
    context.onProgress({ stage: "creating", progress: null, message: `Renting offer ${offer.offerId}` });
    const instanceId = await this.#rent(spec, offer, name);
    const instance = await this.#onlyOne(name, instanceId);
    return this.#untilRunning(instance, context, offer.machineId);
  }

  async finish(node: PlatformNode, context: CreateContext): Promise<PlatformNode> {
    if (node.state !== "starting") return node;
    const instance = await this.#byName(node.name);
    if (!instance) throw new ScalerError("not_found", `Instance ${node.nodeId} was destroyed while it was made.`);
    return this.#untilRunning(instance, context);
  }

  async remove(nodeId: string): Promise<RemoveOutcome> {
    const all = await this.#wrapped(() => this.#client.instances());
    const instance = all.find((one) => String(one.id) === nodeId);
    if (!instance) return "absent";
    if (!this.#isOurs(instance)) return "foreign";
    await this.#drain(nodeId, instance);
    await this.#destroyUntilGone(nodeId);
    return "removed";
  }

  // biome-ignore lint/correctness/useYield: the interface streams logs, and this platform has none to give
  async *logs(nodeId: string): AsyncIterable<LogChunk> {
    throw new ScalerError("platform_refused", `The logs of ${nodeId} stand in vast.ai's own console.`);
  }

  async offers(filter: OfferFilter, limit: number): Promise<readonly Offer[]> {
    return this.#search(filter, null, limit);
  }

  async sweep(): Promise<readonly string[]> {
    const done: string[] = [];
    const instances = await this.#instances();
    for (const id of this.#seen.keys()) if (!instances.some((instance) => instance.id === id)) this.#seen.delete(id);
    for (const instance of instances) {
      const why = this.#ownerless(instance);
      if (why === null) continue;
      await this.#destroy(String(instance.id));
      done.push(`Destroyed instance ${instance.id}, which ${why}.`);
    }
    return done;
  }

  /** Why nobody waits for an instance any more, or null. */
  #ownerless(instance: VastaiInstance): string | null {
    if (this.#ending.has(String(instance.id))) return "was to be destroyed already";
    if (this.#givenUp.has(instance.label ?? "")) return "was rented by a creation that had failed";
    const state = instanceState(instance);
    const forMs = this.#inStateForMs(instance, state);
    switch (state) {
      case "running":
        return null;
      case "starting":
        return forMs > 2 * this.#options.startMs ? "never came to run" : null;
      case "stopping":
        return forMs > this.#options.stopGraceMs + DESTROY_MS ? "was stopped and not destroyed" : null;
      case "failed":
        return forMs > this.#options.keepStoppedMs ? "ended by itself" : null;
    }
  }

  /** How long an instance has been in its state, as the sweeps saw it: vast.ai tells the time of the rent alone, which says nothing of one
   *  that ran for days before it stopped, or whose machine is offline for a minute. One that this scaler never saw run starts since then. */
  #inStateForMs({ id, start_date: rentedAt }: VastaiInstance, state: NodeState): number {
    const nowMs = this.#options.now();
    const seen = this.#seen.get(id);
    if (seen?.state === state) return nowMs - seen.sinceMs;
    const sinceMs = !seen && state === "starting" && rentedAt ? rentedAt * 1000 : nowMs;
    this.#seen.set(id, { state, sinceMs });
    return nowMs - sinceMs;
  }

  async #instances(): Promise<readonly VastaiInstance[]> {
    return (await this.#wrapped(() => this.#client.instances())).filter((instance) => this.#isOurs(instance));
  }

  #stateOf(instance: VastaiInstance): NodeState {
    return this.#ending.has(String(instance.id)) ? "stopping" : instanceState(instance);
  }

  #isOurs(instance: VastaiInstance): boolean {
    return instance.label?.startsWith(`genai-${this.#options.clusterId}-`) ?? false;
  }

  async #byName(name: string): Promise<VastaiInstance | null> {
    const named = (await this.#instances()).filter(({ id, label }) => label === name && !this.#ending.has(String(id)));
    return named.sort((a, b) => a.id - b.id)[0] ?? null;
  }

  async #search(filter: OfferFilter, spec: NodeSpec | null, limit: number): Promise<readonly Offer[]> {
    const found = await this.#wrapped(() =>
      this.#client.search(searchBody(filter, spec, Math.max(OFFERS_SEARCHED, limit))),
    );
    const wanted = gpuWord(filter.gpuType ?? "");
    return found
      .filter((offer) => offer.rentable !== false && (spec?.offerId ?? String(offer.id)) === String(offer.id))
      .map(toOffer)
      .filter((offer) => wanted === "" || gpuWord(offer.gpu).includes(wanted))
      .filter((offer) => spec?.offerId != null || !this.#isAvoided(offer))
      .sort((a, b) => a.pricePerHour - b.pricePerHour)
      .slice(0, limit);
  }

  #isAvoided(offer: Offer): boolean {
    return this.#avoided.has(`offer ${offer.offerId}`) || this.#avoided.has(`machine ${offer.machineId}`);
  }

  async #rent(spec: NodeSpec, offer: Offer, name: string): Promise<number> {
    const token = spec.nodeToken === null ? {} : { NODE_TOKEN: spec.nodeToken };
    const env = { ...spec.env, BACKEND_SERVER: spec.backend, PROVISIONING_SCRIPT: spec.provScript, ...token };
    const gigabytes = Math.ceil((spec.resources.diskBytes ?? 0) / 1e9);
    try {
      return await this.#client.rent(offer.offerId, {
        client_id: "me",
        image: spec.image,
        label: name,
        // Keeps the image's own entry point.
        runtype: "args",
        args: spec.args,
        env: { ...env, [META_NAME]: writeMeta(spec) },
        disk: Math.max(DISK_GIGABYTES_MIN, gigabytes),
        target_state: "running",
        cancel_unavail: true,
      });
    } catch (error) {
      if (error instanceof VastaiRefused && [404, 410].includes(error.status)) {
        this.#avoided.add(`offer ${offer.offerId}`, GONE_OFFER_MS);
        throw new ScalerError("offer_gone", `vast.ai's offer ${offer.offerId} can't be rented any more.`, {
          cause: error,
        });
      }
      // Refused in so many words: nothing was made. Otherwise the answer alone may have been lost.
      if (error instanceof VastaiRefused && error.status < 500) throw toScalerError(error);
      const made = await this.#unlessAway(() => this.#byName(name));
      if (made) return made.id;
      // It may be rented all the same: vast.ai is away, or its list is older than the rent.
      this.#givenUp.add(name);
      throw error instanceof VastaiRefused ? toScalerError(error) : error;
    }
  }

  /** Two scalers may have rented for one name at once: the lower number stays, on both sides. */
  async #onlyOne(name: string, instanceId: number): Promise<VastaiInstance> {
    const first = await this.#unlessAway(() => this.#byName(name));
    // Not listed yet: it can't be told from a twin, and the sweep and the next list will see it.
    if (!first) return { id: instanceId, label: name, extra_env: null };
    if (first.id !== instanceId) await this.#destroy(String(instanceId));
    return first;
  }

  async #untilRunning(instance: VastaiInstance, context: CreateContext, machineId?: string): Promise<PlatformNode> {
    const name = instance.label ?? "";
    const instanceId = String(instance.id);
    const untilMs = this.#options.now() + this.#options.startMs;
    let message = `Waiting for instance ${instanceId}`;
    try {
      for (;;) {
        context.onProgress({ stage: "starting", progress: null, message });
        const late = this.#options.now() > untilMs;
        const now = await (late ? this.#byId(instanceId) : this.#unlessAway(() => this.#byId(instanceId)));
        // After the look, which takes its time: nobody hears of an instance that is given to a caller who has gone.
        if (context.signal.aborted) throw abortError(context.signal, "The creation");
        if (this.#ending.has(instanceId) || now?.intended_status === "stopped")
          throw new ScalerError("not_found", `Instance ${instanceId} was deleted while it was made.`);
        const state = now ? instanceState(now) : "starting";
        if (now && state === "running") return toNode(now);
        message = now?.status_msg ?? message;
        if (state !== "starting" || late) {
          throw new ScalerError("offer_gone", `Instance ${instanceId} (${name}) did not start: ${message}.`);
        }
        await pause(this.#options.pollMs, undefined, { signal: context.signal }).catch(() => {});
      }
    } catch (error) {
      if (error instanceof ScalerError && error.code === "offer_gone") {
        const machine = machineId ?? String(instance.machine_id ?? "");
        this.#avoided.add(`machine ${machine}`, BAD_MACHINE_MS);
      }
      await this.#destroyUntilGone(instanceId);
      throw error;
    }
  }

  /** What `look` finds; null also while vast.ai is away, which says nothing of an instance that may be well. */
  async #unlessAway(look: () => Promise<VastaiInstance | null>): Promise<VastaiInstance | null> {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof ScalerError && error.code === "platform_away")) throw error;
      return null;
    }
  }

  async #byId(instanceId: string): Promise<VastaiInstance | null> {
    return (await this.#instances()).find((instance) => String(instance.id) === instanceId) ?? null;
  }

  async #drain(nodeId: string, instance: VastaiInstance): Promise<void> {
    if (instanceState(instance) !== "running") return;
    await this.#wrapped(() => this.#client.stop(nodeId));
    const untilMs = this.#options.now() + this.#options.stopGraceMs;
    while (this.#options.now() < untilMs) {
      const now = await this.#byId(nodeId);
      if (now?.actual_status !== "running") return;
      await pause(this.#options.pollMs);
    }
  }

  async #destroyUntilGone(instanceId: string): Promise<void> {
    const untilMs = this.#options.now() + DESTROY_MS;
    for (;;) {
      await this.#destroy(instanceId);
      if (!(await this.#byId(instanceId))) return;
      if (this.#options.now() > untilMs) {
        throw new ScalerError(
          "platform_away",
          `vast.ai has not destroyed instance ${instanceId} yet; it may still cost.`,
        );
      }
      await pause(this.#options.pollMs);
    }
  }

  async #destroy(instanceId: string): Promise<void> {
    this.#ending.add(instanceId);
    await this.#wrapped(() => this.#client.destroy(instanceId));
  }

  async #wrapped<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw error instanceof VastaiRefused ? toScalerError(error) : error;
    }
  }
}

function toScalerError(refused: VastaiRefused): ScalerError {
  const sentence = `${refused.message}.`;
  if (refused.status === 401) {
    return new ScalerError("platform_refused", "vast.ai does not accept VASTAI_API_KEY.", { cause: refused });
  }
  if (refused.status === 400) return new ScalerError("invalid", sentence, { cause: refused });
  if (refused.status === 429 || refused.status >= 500)
    return new ScalerError("platform_away", sentence, { cause: refused });
  if (/credit|balance/i.test(sentence)) return new ScalerError("platform_full", sentence, { cause: refused });
  return new ScalerError("platform_refused", sentence, { cause: refused });
}

/** `RTX_4090`, `RTX 4090` and `rtx4090` are one. */
function gpuWord(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
