import { InvalidArgumentError } from "commander";

/** Parsers of flags' values. Each throws commander's own error, which ends the command with its sentence and exit code 2. */

export function integer(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError("It is no whole number.");
  return Number(text);
}

export function decimal(text: string): number {
  if (!/^\d{1,9}(?:\.\d+)?$/.test(text)) throw new InvalidArgumentError("It is no number.");
  return Number(text);
}

/** `512m`, `8g`; a bare number is bytes. */
export function bytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text);
  if (!match) throw new InvalidArgumentError("It is no size like 512m or 8g.");
  const power = "kmgt".indexOf((match[2] ?? "").toLowerCase() || " ") + 1;
  return Math.round(Number(match[1]) * 1024 ** power);
}

/** `512x768`, in pixels. */
export function pictureSize(text: string): { width: number; height: number } {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  if (!match) throw new InvalidArgumentError("It is no size like 512x512.");
  return { width: Number(match[1]), height: Number(match[2]) };
}

/** `name=value`, added to those that came before it. */
export function nameValue(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const split = text.indexOf("=");
  if (split < 1) throw new InvalidArgumentError("It is no name=value.");
  return { ...before, [text.slice(0, split)]: text.slice(split + 1) };
}
