import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

/** Runs in a process of its own: half of the sockets' descriptors are then not ours. At most 200 connect at a time. */
const PROGRAM = `
const { request } = require("node:http");
const { url, headers, count } = JSON.parse(process.argv[1]);
const statuses = {};
let started = 0, ended = 0;
function end(status) {
  statuses[status] = (statuses[status] ?? 0) + 1;
  ended += 1;
  if (ended === count) console.log(JSON.stringify(statuses));
}
function start() {
  if (started === count) return;
  started += 1;
  const outgoing = request(url, { headers, agent: false }, (incoming) => {
    incoming.resume();
    incoming.on("end", () => end(incoming.statusCode));
  });
  outgoing.on("error", (error) => end(error.code));
  outgoing.on("socket", (socket) => socket.on("connect", start));
  outgoing.end();
}
for (let number = 0; number < 200; number += 1) start();
`;

/** Clients that make one GET each, all at once. */
export class ManyClients implements AsyncDisposable {
  readonly #process: ChildProcess;

  constructor(call: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly count: number;
  }) {
    this.#process = spawn(process.execPath, ["-e", PROGRAM, JSON.stringify(call)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  /** How many got which status, once all have got one. */
  async statuses(): Promise<Record<string, number>> {
    if (this.#process.stdout === null) throw new Error("the clients have no output");
    return JSON.parse(await text(this.#process.stdout)) as Record<string, number>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
