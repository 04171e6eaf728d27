import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** GPUs of this machine: type and memory of the first, and how many there are. */
export interface Gpu {
  readonly type: string;
  readonly vramBytes: number | null;
  readonly count: number;
}

const MIB = 1024 * 1024;
const TIMEOUT_MS = 10_000;

/** What this machine has: nvidia-smi's word where it is there, else what `systeminformation` finds; null without a GPU of its own. */
export async function findGpu(): Promise<Gpu | null> {
  return (await fromNvidiaSmi()) ?? (await fromSystem());
}

async function fromNvidiaSmi(): Promise<Gpu | null> {
  const query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
  try {
    const { stdout } = await promisify(execFile)("nvidia-smi", query, { timeout: TIMEOUT_MS });
    const gpus = stdout.split("\n").flatMap((line) => {
      // The name may hold commas; the memory, in MiB, stands behind the last one, and is "[N/A]" where the driver does not know it.
      const [, type = "", memory = ""] = /^\s*(.+?)\s*,\s*([^,]+?)\s*$/.exec(line) ?? [];
      const mib = Number(memory);
      return type === "" ? [] : [{ type, vramBytes: mib > 0 ? mib * MIB : null }];
    });
    const [first] = gpus;
    return first === undefined ? null : { ...first, count: gpus.length };
  } catch {
    // Not there, or without a driver: it has nothing to say.
    return null;
  }
}

async function fromSystem(): Promise<Gpu | null> {
  const { graphics } = await import("systeminformation");
  const within = new Promise<null>((resolve) => setTimeout(() => resolve(null), TIMEOUT_MS).unref());
  const found = await Promise.race([graphics().catch(() => null), within]);
  // Adapters of virtual machines and of the mainboard say less than this, or nothing, of memory of their own.
  const gpus = (found?.controllers ?? []).filter(({ vram, model }) => (vram ?? 0) >= 1_024 && model !== "");
  const [first] = gpus;
  if (first === undefined) return null;
  const type = [first.vendor, first.model].filter((word) => word !== "").join(" ");
  return { type, vramBytes: (first.vram ?? 0) * MIB, count: gpus.length };
}
