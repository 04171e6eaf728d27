import { printable } from "./table.ts";

/** Named facts, a line each, their values below one another. Those without a value are left out. */
export function facts(lines: readonly (readonly [name: string, value: string | number | null | undefined])[]): string {
  const told = lines.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const width = Math.max(0, ...told.map(([name]) => name.length));
  return told.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}\n`).join("");
}
