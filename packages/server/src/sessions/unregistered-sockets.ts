import { isLoopback } from "../http/is-loopback.ts";

/** Counts sockets that have not registered, in total and per address, so that nobody can fill the server with silent ones. */
export class UnregisteredSockets {
  readonly #perAddressMax: number;
  readonly #max: number;
  readonly #byAddress = new Map<string, number>();
  #count = 0;

  constructor(perAddressMax: number, max: number) {
    this.#perAddressMax = perAddressMax;
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  hasRoom(address: string): boolean {
    if (this.#count >= this.#max) return false;
    return isLoopback(address) || (this.#byAddress.get(address) ?? 0) < this.#perAddressMax;
  }

  /** Counts one more, until the returned function is called. */
  enter(address: string): () => void {
    this.#count++;
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#count--;
      const rest = (this.#byAddress.get(address) ?? 1) - 1;
      if (rest === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, rest);
    };
  }
}
