import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { percentile } from "./percentile.ts";

/** Milliseconds that this folder's disk takes to keep 4 KiB: the median of 200. What is measured on it means nothing without this. */
export function fsyncMs(folder: string): number {
  const scratch = mkdtempSync(join(folder, "fsync-"));
  const descriptor = openSync(join(scratch, "file"), "w");
  const page = Buffer.alloc(4_096, 1);
  const times: number[] = [];
  for (let write = 0; write < 200; write++) {
    const startedAtMs = performance.now();
    writeSync(descriptor, page);
    fdatasyncSync(descriptor);
    times.push(performance.now() - startedAtMs);
  }
  closeSync(descriptor);
  rmSync(scratch, { recursive: true });
  return percentile(times, 0.5);
}
