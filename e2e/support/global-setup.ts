import lookForEngine from "./engine-setup.ts";
import { openCheckout } from "./open-checkout.ts";

/** Once before all tests. */
export default function setUp(): void {
  globalThis.closeCheckout = openCheckout();
  lookForEngine();
}

declare global {
  /** Undoes {@link openCheckout}. Set-up and tear-down are one process, and share nothing else. */
  var closeCheckout: (() => void) | undefined;
}
