import type { ServerResponse } from "node:http";

/** Answers with JSON. Express's own `json` also makes tags, looks at conditions and character sets; v1 has none of these. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, [
    "Content-Type",
    "application/json; charset=utf-8",
    "Content-Length",
    Buffer.byteLength(text),
  ]);
  response.end(text);
}
