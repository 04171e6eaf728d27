import { InvalidArgumentError } from "commander";

export function webSocketUrl(text: string): string {
  if (!URL.canParse(text) || !/^wss?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("It must be a ws:// or wss:// URL.");
  return text;
}

export function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("It must be an http:// or https:// URL.");
  return text;
}

export function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1e9))
    throw new InvalidArgumentError("It must be a number from 0 to 1000000000.");
  return value;
}

/** A parser of whole numbers within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

export function nodeIdText(text: string): string {
  if (text.trim() === "" || text.length > 256) throw new InvalidArgumentError("It must have 1 to 256 characters.");
  return text;
}
