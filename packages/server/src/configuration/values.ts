import { z } from "zod";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration in the environment: seconds (`30`), or with a unit (`500ms`, `30s`, `15m`, `2h`, `7d`). Gives milliseconds. */
export function duration(bounds: { readonly minMs: number; readonly maxMs: number }) {
  return z.string().transform((text, context) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
    const factor = UNIT_MS[match?.[2] ?? "s"];
    const ms = match === null || factor === undefined ? Number.NaN : Math.round(Number(match[1]) * factor);
    if (ms >= bounds.minMs && ms <= bounds.maxMs) return ms;
    context.addIssue({
      code: "custom",
      message: `must be a duration from ${bounds.minMs / 1_000} s to ${bounds.maxMs / 1_000} s, such as 30, 30s, 15m or 7d`,
    });
    return z.NEVER;
  });
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1_000,
  m: 1_000_000,
  g: 1_000_000_000,
  ki: 1_024,
  mi: 1_048_576,
  gi: 1_073_741_824,
};

/** A size in the environment: bytes, or with a unit (`32MB`, `64MiB`). Gives bytes. */
export function size(bounds: { readonly min: number; readonly max: number }) {
  return z.string().transform((text, context) => {
    const match = /^(\d+(?:\.\d+)?)\s*(k|m|g|ki|mi|gi)?b?$/i.exec(text.trim());
    const factor = UNIT_BYTES[(match?.[2] ?? "").toLowerCase()];
    const bytes = match === null || factor === undefined ? Number.NaN : Math.round(Number(match[1]) * factor);
    if (bytes >= bounds.min && bytes <= bounds.max) return bytes;
    context.addIssue({
      code: "custom",
      message: `must be a size from ${bounds.min} to ${bounds.max} bytes, such as 32MB or 64MiB`,
    });
    return z.NEVER;
  });
}

/** A size, or `off`. Gives null for off. */
export function sizeOrOff(bounds: { readonly min: number; readonly max: number }) {
  const schema = size(bounds);
  return z.string().transform((text, context) => {
    if (text.trim().toLowerCase() === "off") return null;
    const read = schema.safeParse(text);
    if (read.success) return read.data;
    context.addIssue({ code: "custom", message: `${read.error.issues[0]?.message}, or off` });
    return z.NEVER;
  });
}

/** A whole number in the environment. */
export function integer(bounds: { readonly min: number; readonly max: number }) {
  return z.string().transform((text, context) => {
    const value = /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= bounds.min && value <= bounds.max) return value;
    context.addIssue({ code: "custom", message: `must be a whole number from ${bounds.min} to ${bounds.max}` });
    return z.NEVER;
  });
}

/** A number of credits in the environment. */
export function credits() {
  return z.string().transform((text, context) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= 0 && value <= 1e9) return value;
    context.addIssue({ code: "custom", message: "must be a number from 0 to 1000000000" });
    return z.NEVER;
  });
}

/** `true` or `false` (also 1, 0, yes, no, on, off). */
export function flag() {
  return z.string().transform((text, context) => {
    const word = text.trim().toLowerCase();
    if (["true", "1", "yes", "on"].includes(word)) return true;
    if (["false", "0", "no", "off", ""].includes(word)) return false;
    context.addIssue({ code: "custom", message: "must be true or false" });
    return z.NEVER;
  });
}

/** A number a minute, or `off`. Gives null for off. */
export function ratePerMinute() {
  return z.string().transform((text, context) => {
    if (text.trim().toLowerCase() === "off") return null;
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= 1 && value <= 1e9) return value;
    context.addIssue({ code: "custom", message: "must be a whole number of requests a minute from 1, or off" });
    return z.NEVER;
  });
}

/** A comma-separated list; empty text is an empty list. */
export function list() {
  return z.string().transform((text) =>
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  );
}

/** A URL of HTTP in the environment. */
export function httpUrl() {
  return z.url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" });
}

/** A URL of HTTP that paths are put behind. */
export function baseHttpUrl() {
  return httpUrl().refine((url) => !/[?#]/.test(url), "must have no query and no fragment: paths are put behind it");
}

/** One of these words. */
export function oneOf<const Words extends readonly string[]>(...words: Words) {
  return z.enum(words, { error: `must be one of ${words.join(", ")}` });
}
