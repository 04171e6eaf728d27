/** Holds callers up while somebody looks: closed, nobody enters, and it resolves once all who were inside have left. */
export class Gate {
  #open = Promise.resolve();
  #openIt: (() => void) | null = null;
  #inside = 0;
  #emptied: (() => void) | null = null;

  /** Resolves while it is open. */
  pass(): Promise<void> {
    return this.#open;
  }

  enter(): void {
    this.#inside += 1;
  }

  leave(): void {
    this.#inside -= 1;
    if (this.#inside === 0) this.#emptied?.();
  }

  async close(): Promise<void> {
    this.#open = new Promise((resolve) => {
      this.#openIt = resolve;
    });
    if (this.#inside > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    this.#emptied = null;
  }

  open(): void {
    this.#openIt?.();
    this.#openIt = null;
  }
}
