import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What a process has used so far. */
export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** Of it, the thread that runs its event loop. */
  readonly mainThreadCpuSeconds: number;
  readonly residentMb: number;
  /** The most that it ever had in memory. */
  readonly residentPeakMb: number;
}

/** Reads /proc, so Linux only. */
export function usageOf(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return {
    cpuSeconds: cpuSecondsOf(`/proc/${pid}/stat`),
    mainThreadCpuSeconds: cpuSecondsOf(`/proc/${pid}/task/${pid}/stat`),
    residentMb: kilobytes("VmRSS") / 1024,
    residentPeakMb: kilobytes("VmHWM") / 1024,
  };
}

function cpuSecondsOf(statFile: string): number {
  const stat = readFileSync(statFile, "utf8");
  // The name in parentheses may hold spaces; the fields are counted behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
