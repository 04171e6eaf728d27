import { isDeepStrictEqual } from "node:util";
import type { PlatformNode } from "./platform.ts";
import { ScalerError } from "./scaler-error.ts";

/** A change of the list. `synced`: all that was there at the start has been told. */
export type NodeChange =
  | { readonly type: "added" | "changed" | "removed"; readonly node: PlatformNode }
  | { readonly type: "synced" };

/** Receives the changes for one watcher. `ready` is asked before each round: a reader that has not consumed the last one gets the newest state
 *  later, so nothing piles up. */
export interface NodeWatcher {
  ready(): boolean;
  next(change: NodeChange): void;
  failed(error: unknown): void;
}

interface Watching {
  readonly watcher: NodeWatcher;
  told: Map<string, PlatformNode>;
  synced: boolean;
}

/** Reports changes of the list to watchers. It polls the list only while there are watchers: every `intervalMs`, and immediately after
 *  {@link refresh}. */
export class NodeFeed {
  readonly #list: () => Promise<readonly PlatformNode[]>;
  readonly #intervalMs: number;
  readonly #watching = new Set<Watching>();
  #timer: NodeJS.Timeout | null = null;
  #looking = false;
  #again = false;

  constructor(list: () => Promise<readonly PlatformNode[]>, intervalMs: number) {
    this.#list = list;
    this.#intervalMs = intervalMs;
  }

  /** Returns the way to stop watching. */
  watch(watcher: NodeWatcher): () => void {
    const watching: Watching = { watcher, told: new Map(), synced: false };
    this.#watching.add(watching);
    this.refresh();
    return () => {
      this.#watching.delete(watching);
      if (this.#watching.size === 0) this.#disarm();
    };
  }

  /** Something has changed: look now. */
  refresh(): void {
    if (this.#watching.size === 0) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#disarm();
    void this.#look();
  }

  /** Ends all watching. */
  close(): void {
    this.#fail(new ScalerError("platform_away", "The scaler is shutting down."));
    this.#disarm();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      const nodes = await this.#list();
      for (const watching of this.#watching) tell(watching, nodes);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#looking = false;
    }
    if (this.#watching.size === 0) return;
    if (this.#again) {
      this.#again = false;
      void this.#look();
    } else {
      this.#timer = setTimeout(() => this.refresh(), this.#intervalMs);
    }
  }

  #fail(error: unknown): void {
    for (const { watcher } of this.#watching) watcher.failed(error);
    this.#watching.clear();
  }

  #disarm(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function tell(watching: Watching, nodes: readonly PlatformNode[]): void {
  const { watcher, told } = watching;
  if (!watcher.ready()) return;
  const now = new Map(nodes.map((node) => [node.nodeId, node]));
  for (const [nodeId, node] of told) if (!now.has(nodeId)) watcher.next({ type: "removed", node });
  for (const [nodeId, node] of now) {
    const before = told.get(nodeId);
    if (!before) watcher.next({ type: "added", node });
    else if (!isDeepStrictEqual(before, node)) watcher.next({ type: "changed", node });
  }
  watching.told = now;
  if (!watching.synced) watcher.next({ type: "synced" });
  watching.synced = true;
}
