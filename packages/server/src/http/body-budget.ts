/** Bodies that are read at once may take so many times the memory of the largest. */
const LARGEST_BODIES = 16;

/** What all bodies that are under way may take of the memory together. A body is held whole before it is looked at, so a thousand callers
 *  that each hold one back before its end would fill any machine. When there is no room, the body that has been under way for longest is
 *  refused: an honest one takes seconds. */
export class BodyBudget {
  /** Longest body in bytes, as it is and inflated. */
  readonly bodyBytesMax: number;
  readonly #bytesMax: number;
  /** Oldest first. */
  readonly #underWay = new Set<BodyShare>();
  #bytes = 0;

  constructor(bodyBytesMax: number) {
    this.bodyBytesMax = bodyBytesMax;
    this.#bytesMax = bodyBytesMax * LARGEST_BODIES;
  }

  /** A body begins to come; `refuse` is called where it has to make room. */
  enter(refuse: () => void): BodyShare {
    const share = new BodyShare(this, refuse);
    this.#underWay.add(share);
    return share;
  }

  grow(bytes: number): void {
    this.#bytes += bytes;
    for (const oldest of this.#underWay) {
      if (this.#bytes <= this.#bytesMax) return;
      oldest.refuse();
    }
  }

  leave(share: BodyShare): void {
    if (this.#underWay.delete(share)) this.#bytes -= share.bytes;
  }
}

/** What one body takes. */
class BodyShare {
  readonly #budget: BodyBudget;
  /** Let go of when it leaves, and with it the body: what a `Set` held may be kept by it for long (see `SlotMap`). */
  #refuse: (() => void) | null;
  #bytes = 0;

  constructor(budget: BodyBudget, refuse: () => void) {
    this.#budget = budget;
    this.#refuse = refuse;
  }

  get bytes(): number {
    return this.#bytes;
  }

  grow(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.grow(bytes);
  }

  /** It has to make room. */
  refuse(): void {
    const refuse = this.#refuse;
    this.leave();
    refuse?.();
  }

  /** It is read, or refused. Calling it again changes nothing. */
  leave(): void {
    this.#budget.leave(this);
    this.#refuse = null;
  }
}
