import type { PlatformNode } from "./platform.ts";
import { ScalerError } from "./scaler-error.ts";

/** Most that may exist at once. Prices are US dollars per hour. */
export interface Caps {
  readonly nodesMax: number;
  readonly pricePerHourMax: number;
}

/** What one creation takes from the caps until its node can be seen in a list. */
export interface Reservation {
  /** The creation has ended: from the next list on, what that shows is what counts. */
  release(): void;
}

interface Held {
  readonly name: string;
  readonly platform: string;
  readonly pricePerHour: number;
  /** Lists begun after this moment show the node; Infinity while it is being made. */
  visibleFrom: number;
}

/** Keeps every creation within the caps, in all and per platform, however many come at once.
 *  The platforms' lists are the truth; a reservation stands for a node that no list shows yet. */
export class Capacity {
  readonly #all: Caps;
  readonly #byPlatform: ReadonlyMap<string, Caps>;
  readonly #held = new Set<Held>();
  #moment = 0;
  #listedAt = 0;
  #nodes: readonly PlatformNode[] = [];

  constructor(all: Caps, byPlatform: ReadonlyMap<string, Caps>) {
    this.#all = all;
    this.#byPlatform = byPlatform;
  }

  /** To be called before the platforms are asked for their lists; its number goes into {@link observe} with the answer. */
  beginList(): number {
    this.#moment += 1;
    return this.#moment;
  }

  /** What a list showed. An older list than the newest one seen changes nothing. */
  observe(nodes: readonly PlatformNode[], listedAt: number): void {
    if (listedAt <= this.#listedAt) return;
    this.#listedAt = listedAt;
    this.#nodes = nodes;
    for (const held of this.#held) if (held.visibleFrom < listedAt) this.#held.delete(held);
  }

  /** Whether reservations alone fill the cap, so that no list need be asked for. */
  get full(): boolean {
    return this.#held.size >= this.#all.nodesMax && [...this.#held].every((held) => held.visibleFrom === Infinity);
  }

  /** Throws `over_cap` where {@link reserve} would, and takes nothing. */
  check(request: { readonly platform: string; readonly pricePerHour: number }): void {
    this.#checkAll(request);
  }

  /** Takes a place, or throws `over_cap` with the numbers. */
  reserve(request: { readonly name: string; readonly platform: string; readonly pricePerHour: number }): Reservation {
    this.#checkAll(request);
    const held: Held = { ...request, visibleFrom: Number.POSITIVE_INFINITY };
    this.#held.add(held);
    return {
      release: () => {
        held.visibleFrom = this.#moment;
      },
    };
  }

  #checkAll({ platform, pricePerHour }: { readonly platform: string; readonly pricePerHour: number }): void {
    this.#check("in all", this.#all, pricePerHour, () => true);
    const caps = this.#byPlatform.get(platform);
    if (caps) this.#check(`on ${platform}`, caps, pricePerHour, (name) => name === platform);
  }

  #check(where: string, caps: Caps, pricePerHour: number, counts: (platform: string) => boolean): void {
    const listed = this.#nodes.filter((node) => counts(node.platform));
    const names = new Set(listed.map((node) => node.name));
    const held = [...this.#held].filter((one) => counts(one.platform) && !names.has(one.name));
    const living = listed.filter((node) => node.state !== "failed").length + held.length;
    if (living + 1 > caps.nodesMax) {
      throw new ScalerError("over_cap", `There are ${living} nodes ${where} and at most ${caps.nodesMax} are allowed.`);
    }
    // A failed node may still cost: a stopped instance pays for its disk.
    const price = [...listed, ...held].reduce((sum, one) => sum + one.pricePerHour, 0);
    if (price + pricePerHour > caps.pricePerHourMax) {
      throw new ScalerError(
        "over_cap",
        `The nodes ${where} cost $${price.toFixed(3)} an hour, this one $${pricePerHour.toFixed(3)} more, and at most $${caps.pricePerHourMax.toFixed(3)} is allowed.`,
      );
    }
  }
}
