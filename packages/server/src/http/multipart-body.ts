import type { Request } from "express";
import { readJson } from "../json-text.ts";
import type { BodyBudget } from "./body-budget.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { readBody } from "./request-body.ts";

/** Files of a multipart body by the names of their parts. */
export type Files = ReadonlyMap<string, Buffer>;

/** Most files of one body. */
const PARTS_MAX = 256;
/** Most bytes of a part's headers: its name, its file's name and its type. The parser takes a second for 3 MB of them. */
const HEADERS_BYTES_MAX = 4_096;

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
  mustBeBounded(bytes, `--${boundary}`);
  try {
    return await new Response(new Uint8Array(bytes), { headers: { "content-type": contentType } }).formData();
  } catch (error) {
    throw unreadable("its parts cannot be told apart", error);
  }
}

/** Counts the parts and measures the headers of each. */
function mustBeBounded(bytes: Buffer, delimiter: string): void {
  let parts = 0;
  for (let at = bytes.indexOf(delimiter); at >= 0; at = bytes.indexOf(delimiter, at + delimiter.length)) {
    const from = at + delimiter.length;
    // Two hyphens stand behind the last.
    if (bytes.toString("latin1", from, from + 2) === "--") continue;
    parts += 1;
    // One more part is the JSON.
    if (parts > PARTS_MAX + 1) throw unreadable(`it has more than ${PARTS_MAX} parts`);
    if (bytes.subarray(from, from + HEADERS_BYTES_MAX).indexOf("\r\n\r\n") < 0) {
      throw unreadable(`the headers of part ${parts} do not end within ${HEADERS_BYTES_MAX} bytes`);
    }
  }
}

function unreadable(why: string, cause?: unknown): HttpRefusal {
  return new HttpRefusal("invalid_request", { detail: `the multipart body cannot be read: ${why}`, cause });
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
