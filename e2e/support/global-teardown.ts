import removeImages from "./engine-teardown.ts";

/** Once after all tests. */
export default function tearDown(): void {
  globalThis.closeCheckout?.();
  removeImages();
}
