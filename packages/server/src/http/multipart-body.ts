import type { Request } from "express";
import { readJson } from "../json-text.ts";
import type { BodyBudget } from "./body-budget.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { readBody } from "./request-body.ts";

/** Files of a multipart body by the names of their parts. */
export type Files = ReadonlyMap<string, Buffer>;

/** Most files of one body. */
const PARTS_MAX = 256;

/** Reads a `multipart/form-data` body: the part `jsonName` as JSON, every other part as a file. */
export async function readMultipartBody(
  request: Request,
  budget: BodyBudget,
  jsonName: string,
): Promise<{ readonly value: unknown; readonly files: Files }> {
  const form = await formOf(await readBody(request, budget), request.headers["content-type"] ?? "");
  let text: string | null = null;
  const files = new Map<string, Buffer>();
  for (const [name, part] of form) {
    if (files.has(name) || (name === jsonName && text !== null)) throw unreadable(`two parts are named ${shown(name)}`);
    if (name === jsonName) text = typeof part === "string" ? part : await part.text();
    else files.set(name, typeof part === "string" ? Buffer.from(part) : Buffer.from(await part.arrayBuffer()));
  }
  if (text === null) throw unreadable(`it needs a part ${shown(jsonName)} with the JSON`);
  const reading = readJson(text);
  if (!reading.ok) throw new HttpRefusal("invalid_json", { detail: `part ${shown(jsonName)}: ${reading.message}` });
  return { value: reading.value, files };
}

/** By the platform's own parser, which makes every part before anybody can count them: they are counted here. */
async function formOf(bytes: Buffer, contentType: string): Promise<FormData> {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw unreadable("its Content-Type names no boundary of 1 to 70 characters");
  // One opens each part, one more closes the last, and one more part is the JSON.
  if (occurrences(`--${boundary}`, bytes, PARTS_MAX + 2) > PARTS_MAX + 2) {
    throw unreadable(`it has more than ${PARTS_MAX} parts`);
  }
  try {
    return await new Response(new Uint8Array(bytes), { headers: { "content-type": contentType } }).formData();
  } catch (error) {
    throw unreadable("its parts cannot be told apart", error);
  }
}

/** How often a text occurs; counted no further than one beyond `enough`. */
function occurrences(text: string, bytes: Buffer, enough: number): number {
  let count = 0;
  for (let at = bytes.indexOf(text); at >= 0 && count <= enough; at = bytes.indexOf(text, at + text.length)) count += 1;
  return count;
}

function unreadable(why: string, cause?: unknown): HttpRefusal {
  return new HttpRefusal("invalid_request", { detail: `the multipart body cannot be read: ${why}`, cause });
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
