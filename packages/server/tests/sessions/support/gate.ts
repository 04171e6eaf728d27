import type { ArtifactStore } from "../../../src/artifacts/artifact-store.ts";

/** Lets no picture into a store until it is opened. */
export class Gate {
  readonly #opened: Promise<void>;
  #open = (): void => {};

  constructor() {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open();
  }

  before(real: ArtifactStore): ArtifactStore {
    return new Proxy(real, {
      get: (target, name) => {
        if (name === "put") {
          return async (...given: Parameters<ArtifactStore["put"]>) => {
            await this.#opened;
            return target.put(...given);
          };
        }
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}
