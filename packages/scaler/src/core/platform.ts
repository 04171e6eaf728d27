import type { NodeSpec, Resources } from "./node-spec.ts";

/** Where a node is in its life. `stopping`: told to leave, draining. `failed`: ended by itself. A node that was deleted is in no list. */
export type NodeState = "starting" | "running" | "stopping" | "failed";

/** A node as its platform knows it. Nothing here is remembered by the scaler: it is read from the platform each time. */
export interface PlatformNode {
  readonly nodeId: string;
  readonly platform: string;
  /** Name made from cluster and idempotency key by {@link nodeName}: what keeps two creations with one key from making two nodes. */
  readonly name: string;
  readonly backend: string;
  readonly image: string;
  readonly state: NodeState;
  /** 0 where the platform does not tell. */
  readonly createdAtMs: number;
  /** US dollars. */
  readonly pricePerHour: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The platform's name of its GPU; empty without one. */
  readonly gpu: string;
  readonly resources: Resources;
  /** As the caller gave it; empty where none was given. */
  readonly idempotencyKey: string;
  /** Digest of the parameters that it was made with, by {@link specDigest}; empty where the platform can't keep it. */
  readonly digest: string;
  /** One sentence: what it waits for, or why it failed. May be empty. */
  readonly message: string;
  /** null while its program runs, and where a platform does not tell. */
  readonly exitCode: number | null;
  /** At most 20, of a failed node. */
  readonly lastLogLines: readonly string[];
}

/** Something that can be rented at this moment. */
export interface Offer {
  readonly offerId: string;
  readonly platform: string;
  readonly gpu: string;
  readonly gpus: number;
  /** Memory of one GPU. */
  readonly vramBytes: number;
  /** US dollars, with storage. */
  readonly pricePerHour: number;
  /** 0 to 1, as the platform measured it. */
  readonly reliability: number;
  readonly location: string;
  readonly machineId: string;
}

/** What a creation would do. */
export interface Plan {
  readonly pricePerHour: number;
  /** null on platforms that rent nothing. */
  readonly offer: Offer | null;
  readonly gpu: string;
  readonly resources: Resources;
  /** Whether the image has to be fetched first; false where only the platform knows. */
  readonly pull: boolean;
  readonly warnings: readonly string[];
}

export interface CreateProgress {
  readonly stage: "planned" | "pulling" | "creating" | "starting";
  /** 0 to 1 within the stage; null where unknown. */
  readonly progress: number | null;
  readonly message: string;
}

export interface CreateContext {
  readonly onProgress: (progress: CreateProgress) => void;
  /** Aborted when the caller went away or time is up: the creation undoes what it began and throws. */
  readonly signal: AbortSignal;
}

export interface LogChunk {
  readonly data: Uint8Array;
  readonly stderr: boolean;
}

export interface LogOptions {
  /** Last lines, 1 to 10 000. */
  readonly tail: number;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** `removed`: it was ours and is off the list, also when it had ended long ago. `absent`: the platform has no such id.
 *  `foreign`: it exists, and it is not a node of this cluster; it was not touched. */
export type RemoveOutcome = "removed" | "absent" | "foreign";

/** A place where nodes run. Its own list is the only memory. Every method throws {@link ScalerError}; each has a time limit of its own. */
export interface Platform {
  readonly name: string;
  /** Whether an id has the form that this platform gives. */
  owns(nodeId: string): boolean;
  /** Every node of this cluster: starting, running, stopping and failed. */
  list(): Promise<readonly PlatformNode[]>;
  /** Checks what only the platform can check, and says what `create` would do. Makes nothing. */
  plan(spec: NodeSpec): Promise<Plan>;
  /** Makes the node, marked as ours before it can cost anything, and resolves once it was started. Where a node of that name exists
   *  already, by a second scaler or an earlier try, that one is finished and returned. */
  create(spec: NodeSpec, plan: Plan, name: string, context: CreateContext): Promise<PlatformNode>;
  /** Goes on with a node whose creation was cut off half-way; one that is complete is returned as it is. */
  finish(node: PlatformNode, context: CreateContext): Promise<PlatformNode>;
  /** Takes a node off the list: told to leave, given its grace, ended. Safe to call twice, also at once. */
  remove(nodeId: string): Promise<RemoveOutcome>;
  logs(nodeId: string, options: LogOptions): AsyncIterable<LogChunk>;
  /** Cheapest first. */
  offers(filter: NodeSpec["filter"], limit: number): Promise<readonly Offer[]>;
  /** Ends what has no owner: half-made nodes, deletions cut off half-way, what was kept long enough. Returns what it did, a sentence each. */
  sweep(): Promise<readonly string[]>;
}
