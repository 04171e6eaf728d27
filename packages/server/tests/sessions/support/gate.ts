import type { ArtifactStore } from "../../../src/artifacts/artifact-store.ts";
import { withMethods } from "../../support/with-methods.ts";

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
    return withMethods(real, {
      put: async (...given) => {
        await this.#opened;
        return real.put(...given);
      },
    });
  }
}
