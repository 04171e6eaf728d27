import { HttpRefusal } from "../http-refusal.ts";

/** The number after which a reader resumes, or null for a new one. Refuses what is no number, and a number beyond the newest
 *  event: it belongs to another log, or to a store that has forgotten it. */
export function lastEventNumber(given: string | undefined, newest: number): number | null {
  if (given === undefined || given === "") return null;
  const number = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
  if (number <= newest) return number;
  throw new HttpRefusal("event_id_unknown", {
    detail: `Last-Event-ID is ${JSON.stringify(given)}, but the newest event is ${newest}`,
  });
}
