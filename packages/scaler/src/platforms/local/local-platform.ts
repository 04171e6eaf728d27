import { setTimeout as pause } from "node:timers/promises";
import type { ContainerInspectInfo } from "dockerode";
import { abortError } from "../../core/abort-error.ts";
import { type NodeSpec, specDigest } from "../../core/node-spec.ts";
import type {
  CreateContext,
  LogChunk,
  LogOptions,
  Offer,
  Plan,
  Platform,
  PlatformNode,
  RemoveOutcome,
} from "../../core/platform.ts";
import { ScalerError } from "../../core/scaler-error.ts";
import { CONTAINER_LABELS } from "./container-labels.ts";
import { lastLines } from "./container-logs.ts";
import { deletedAtMs, deletedName, isOver, toNode } from "./container-node.ts";
import { containerOptions, isOwnImage, resourcesOf } from "./container-options.ts";
import type { DockerEngine } from "./docker-engine.ts";

export interface LocalPlatformOptions {
  readonly engine: DockerEngine;
  readonly clusterId: string;
  /** Network of nodes that ask for none. */
  readonly network: string;
  /** Time that a node has to drain before it is killed. */
  readonly stopGraceMs: number;
  /** How long the container of a deleted or failed node stays for its logs. */
  readonly keepStoppedMs: number;
  readonly now: () => number;
}

/** A container that was made and not started for so long was left by a scaler that died in between: it takes milliseconds. */
const ABANDONED_MS = 60_000;
/** Looks for the container that took a name, 5 s in all. */
const NAMED_LOOKS = 50;
const NAMED_PAUSE_MS = 100;
const FAILED_LOG_LINES = 20;
const FAILED_LOG_MS = 10_000;

/** Nodes as containers of a Docker engine. The engine is the only memory: labels say what a container is, its name which key made it,
 *  and a new name that it was deleted. So a scaler that starts anew, or a second one, sees the same nodes and makes none twice. */
export class LocalPlatform implements Platform {
  readonly name = "local";
  readonly #engine: DockerEngine;
  readonly #options: LocalPlatformOptions;
  /** Last lines of failed nodes by container id: their logs don't change any more. */
  readonly #failedLogs = new Map<string, readonly string[]>();

  constructor(options: LocalPlatformOptions) {
    this.#engine = options.engine;
    this.#options = options;
  }

  owns(nodeId: string): boolean {
    return /^[0-9a-f]{12}$/.test(nodeId);
  }

  async list(): Promise<readonly PlatformNode[]> {
    const ids = await this.#containerIds();
    for (const id of this.#failedLogs.keys()) if (!ids.includes(id)) this.#failedLogs.delete(id);
    const nodes = await Promise.all(ids.map((id) => this.#node(id)));
    return nodes.filter((node) => node !== null);
  }

  async plan(spec: NodeSpec): Promise<Plan> {
    if (spec.offerId !== null)
      throw new ScalerError("invalid", "vastai_iid is for platform vastai; local rents nothing.");
    const network = spec.network ?? this.#options.network;
    const [size, image, hasNetwork] = await Promise.all([
      this.#engine.size(),
      this.#engine.image(spec.image),
      this.#engine.hasNetwork(network),
    ]);
    if (!hasNetwork) throw new ScalerError("invalid", `The engine has no network ${network}.`);
    const resources = resourcesOf(spec, image !== null && isOwnImage(image), size);
    if ((resources.memoryBytes ?? 0) > size.memoryBytes || (resources.cpus ?? 0) > size.cpus) {
      throw new ScalerError(
        "invalid",
        `The node asks for ${resources.cpus} CPUs and ${resources.memoryBytes} bytes of memory; the engine has ${size.cpus} and ${size.memoryBytes}.`,
      );
    }
    const gpu = spec.resources.gpus === 0 ? "" : "of the machine";
    return { pricePerHour: 0, offer: null, gpu, resources, pull: image === null, warnings: warningsOf(spec) };
  }

  async create(spec: NodeSpec, plan: Plan, name: string, context: CreateContext): Promise<PlatformNode> {
    if (plan.pull) await this.#engine.pull(spec.image, context);
    const image = await this.#engine.image(spec.image);
    if (!image) throw new ScalerError("not_found", `Image ${spec.image} was removed while the node was made.`);
    const resources = resourcesOf(spec, isOwnImage(image), await this.#engine.size());
    if (context.signal.aborted) throw abortError(context.signal, "The creation");
    context.onProgress({ stage: "creating", progress: null, message: "Creating the container" });
    const containerId = await this.#engine.create(containerOptions(spec, name, image, resources, this.#options));
    if (containerId === null) return this.#finishByName(name, spec, context);
    try {
      return await this.#start(containerId, context);
    } catch (error) {
      await this.#engine.destroy(containerId);
      throw error;
    }
  }

  async finish(node: PlatformNode, context: CreateContext): Promise<PlatformNode> {
    return node.state === "starting" ? this.#start(node.nodeId, context) : node;
  }

  async remove(nodeId: string): Promise<RemoveOutcome> {
    const info = await this.#engine.container(nodeId);
    if (!info) return "absent";
    if (!this.#isOurs(info)) return "foreign";
    await this.#markDeleted(info);
    if (isOver(info)) return "removed";
    if (info.State.Status === "created") {
      await this.#engine.destroy(info.Id);
      return "removed";
    }
    // A frozen process can neither drain nor die.
    if (info.State.Paused) await this.#engine.unpause(info.Id);
    await this.#engine.stop(info.Id, this.#options.stopGraceMs);
    return "removed";
  }

  async *logs(nodeId: string, options: LogOptions): AsyncIterable<LogChunk> {
    const info = await this.#engine.container(nodeId);
    if (!info || !this.#isOurs(info)) throw new ScalerError("not_found", `There is no node ${nodeId}.`);
    yield* this.#engine.logs(info.Id, options);
  }

  async offers(): Promise<readonly Offer[]> {
    return [];
  }

  async sweep(): Promise<readonly string[]> {
    const done: string[] = [];
    for (const id of await this.#containerIds()) {
      const info = await this.#engine.container(id);
      const sentence = info && (await this.#sweepOne(info));
      if (sentence) done.push(sentence);
    }
    return done;
  }

  async #sweepOne(info: ContainerInspectInfo): Promise<string | null> {
    const nowMs = this.#options.now();
    const nodeId = info.Id.slice(0, 12);
    const deleted = deletedAtMs(info.Name);
    if (isOver(info)) {
      const endedAtMs = Math.max(Date.parse(info.State.FinishedAt), deleted ?? 0);
      if (nowMs - endedAtMs < this.#options.keepStoppedMs) return null;
      await this.#engine.destroy(info.Id);
      return `Removed container ${nodeId}, which ended ${new Date(endedAtMs).toISOString()}.`;
    }
    if (info.State.Status === "created") {
      if (nowMs - Date.parse(info.Created) < ABANDONED_MS) return null;
      await this.#engine.destroy(info.Id);
      return `Removed container ${nodeId}, which was made ${info.Created} and never started.`;
    }
    // Its stop was asked for and its grace is over: whoever waited for it is gone.
    if (deleted !== null && nowMs - deleted > this.#options.stopGraceMs + ABANDONED_MS) {
      await this.#engine.stop(info.Id, 0);
      return `Ended container ${nodeId}, whose deletion was cut off half-way.`;
    }
    return null;
  }

  #containerIds(): Promise<readonly string[]> {
    return this.#engine.containerIds(`${CONTAINER_LABELS.cluster}=${this.#options.clusterId}`);
  }

  /** Whether a container carries this cluster's label. Nothing else is ever stopped, renamed or removed. */
  #isOurs(info: ContainerInspectInfo): boolean {
    return info.Config.Labels?.[CONTAINER_LABELS.cluster] === this.#options.clusterId;
  }

  async #node(containerId: string): Promise<PlatformNode | null> {
    const info = await this.#engine.container(containerId);
    if (!info) return null;
    return toNode(info, isOver(info) && deletedAtMs(info.Name) === null ? await this.#lastLines(info.Id) : []);
  }

  async #lastLines(containerId: string): Promise<readonly string[]> {
    const known = this.#failedLogs.get(containerId);
    if (known) return known;
    const options = { tail: FAILED_LOG_LINES, follow: false, signal: AbortSignal.timeout(FAILED_LOG_MS) };
    try {
      const lines = await lastLines(this.#engine.logs(containerId, options), FAILED_LOG_LINES);
      this.#failedLogs.set(containerId, lines);
      return lines;
    } catch (error) {
      // One container that is being removed at this moment must not fail the list of all others.
      if (error instanceof ScalerError && ["not_found", "platform_refused"].includes(error.code)) return [];
      throw error;
    }
  }

  async #start(containerId: string, context: CreateContext): Promise<PlatformNode> {
    context.onProgress({ stage: "starting", progress: null, message: "Starting the container" });
    if (context.signal.aborted) throw abortError(context.signal, "The creation");
    await this.#engine.start(containerId);
    const node = await this.#node(containerId);
    // Last of all: nobody hears of a container that is given to a caller who has gone.
    if (context.signal.aborted) throw abortError(context.signal, "The creation");
    if (!node) throw new ScalerError("not_found", `Node ${containerId.slice(0, 12)} was deleted while it was made.`);
    return node;
  }

  /** The name is taken: by a second scaler, or by an earlier try whose answer was lost. */
  async #finishByName(name: string, spec: NodeSpec, context: CreateContext): Promise<PlatformNode> {
    const info = await this.#named(name);
    const node = info && this.#isOurs(info) ? toNode(info, []) : null;
    if (!node) throw new ScalerError("platform_refused", `The engine has a container ${name} that is not a node.`);
    if (node.digest !== specDigest(spec)) {
      throw new ScalerError(
        "key_reused",
        `Idempotency key ${spec.idempotencyKey} made node ${node.nodeId} with other parameters.`,
      );
    }
    return this.finish(node, context);
  }

  /** The engine gives a name away a moment before the container that has it can be seen. */
  async #named(name: string): Promise<ContainerInspectInfo | null> {
    for (let look = 1; look <= NAMED_LOOKS; look += 1) {
      const info = await this.#engine.container(name);
      if (info) return info;
      await pause(NAMED_PAUSE_MS);
    }
    return null;
  }

  async #markDeleted(info: ContainerInspectInfo): Promise<void> {
    if (deletedAtMs(info.Name) !== null) return;
    try {
      await this.#engine.rename(info.Id, deletedName(info.Id, this.#options.now()));
    } catch (error) {
      // A second deletion at the same moment may have renamed or removed it already.
      const now = await this.#engine.container(info.Id);
      if (now && deletedAtMs(now.Name) === null) throw error;
    }
  }
}

function warningsOf(spec: NodeSpec): readonly string[] {
  const host = new URL(spec.backend).hostname;
  if (!["localhost", "127.0.0.1", "[::1]"].includes(host)) return [];
  return [`${host} is the container itself: give the server's address as the node's network sees it.`];
}
