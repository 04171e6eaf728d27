import { chmodSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Others may pass through a folder with this bit, though not list it. */
const PASS = 0o001;

/** Root's PostgreSQL runs as another user, who has to reach its program below this checkout. A checkout that is root's alone, as one in a
 *  folder of `mktemp -d` is, is opened for passing through as long as the tests run. Folders above it are not ours: this says which is
 *  closed. Returns what closes it again. */
export function openCheckout(): () => void {
  if (process.getuid?.() !== 0) return () => {};
  for (let above = dirname(CHECKOUT); above !== dirname(above); above = dirname(above)) {
    if ((statSync(above).mode & PASS) === 0) {
      process.stderr.write(`PostgreSQL can't be started as root below ${above}, which no other user may enter.\n`);
    }
  }
  const { mode } = statSync(CHECKOUT);
  if ((mode & PASS) !== 0) return () => {};
  chmodSync(CHECKOUT, mode | PASS);
  return () => chmodSync(CHECKOUT, mode);
}
