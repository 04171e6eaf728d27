import { parseArgs } from "node:util";
import { backlog } from "./backlog/backlog.ts";
import type { BenchOptions } from "./bench-options.ts";
import { dispatcher } from "./dispatcher/dispatcher.ts";
import { memory } from "./memory/memory.ts";
import { nodes } from "./nodes/nodes.ts";
import { pictures } from "./pictures/pictures.ts";
import { reads } from "./reads/reads.ts";
import { roundtrip } from "./roundtrip/roundtrip.ts";

/** `npm run bench -- <name>`: measures and prints; the numbers to hold stand beside the figures. */
const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  roundtrip,
  pictures,
  memory,
  backlog,
  nodes,
  reads,
  dispatcher,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: "string" },
    nodes: { type: "string" },
    watched: { type: "string" },
    rounds: { type: "string" },
    only: { type: "string" },
    profile: { type: "string" },
    json: { type: "string" },
    curve: { type: "string" },
  },
});

const bench = BENCHES[positionals[0] ?? ""];
if (bench) {
  await bench({
    ...(values.tasks === undefined ? {} : { tasks: Number(values.tasks) }),
    ...(values.nodes === undefined ? {} : { nodes: Number(values.nodes) }),
    ...(values.watched === undefined ? {} : { watchedMs: Number(values.watched) }),
    rounds: Number(values.rounds ?? 3),
    only: values.only ?? "",
    profile: values.profile ?? null,
    json: values.json ?? null,
    curve: values.curve ?? null,
  });
} else {
  process.stderr.write(`Which bench? ${Object.keys(BENCHES).join(", ")}\n`);
  process.exit(2);
}
