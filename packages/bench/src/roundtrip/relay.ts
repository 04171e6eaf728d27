import Database from "better-sqlite3";
import express, { type Response } from "express";
import { type WebSocket, WebSocketServer } from "ws";

// The yardstick: express → ws → express and nothing else. `sqlite` adds one durable commit for each turn of the loop.
const [port = "0", mode = "bare", file = ""] = process.argv.slice(2);
const nodes: WebSocket[] = [];
const waiting = new Map<string, Response>();
const turn: { row: [string, string]; then: () => void }[] = [];
const database = mode === "sqlite" ? new Database(file) : null;
database?.pragma("journal_mode = WAL");
database?.pragma("synchronous = FULL");
database?.exec("CREATE TABLE log (id TEXT, body TEXT)");
const insert = database?.prepare("INSERT INTO log VALUES (?, ?)");
const write = database?.transaction((rows: typeof turn) => {
  for (const { row } of rows) insert?.run(...row);
});
function keep(row: [string, string], then: () => void): void {
  if (!write) {
    then();
    return;
  }
  if (turn.push({ row, then }) > 1) return;
  setImmediate(() => {
    const rows = turn.splice(0);
    write(rows);
    for (const each of rows) each.then();
  });
}
const app = express().use(express.json());
let next = 0;
app.get("/v1/client/hello/", (_request, response) => void response.json({ ok: true }));
app.post("/v1/images/generation/", (request, response) => {
  const taskId = crypto.randomUUID();
  const frame = JSON.stringify({ taskId, options: request.body.standardPipeline, comfyOptions: null });
  waiting.set(taskId, response);
  keep([taskId, frame], () => nodes[next++ % nodes.length]?.send(frame));
});
const server = app.listen(Number(port), "127.0.0.1");
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  socket.on("message", (data) => {
    const { type, taskId, resultsUrl } = JSON.parse(String(data));
    if (type === "register") nodes.push(socket);
    const response = waiting.get(taskId);
    if (!response) return;
    waiting.delete(taskId);
    keep([taskId, String(data)], () =>
      response.status(202).json({ ok: true, task_id: taskId, result: { images: resultsUrl } }),
    );
  });
});
