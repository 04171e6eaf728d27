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
    help: { type: "boolean", short: "h" },
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

const USAGE = `Usage: npm run bench -- <${Object.keys(BENCHES).join("|")}> [options]

  --tasks N, --nodes N   how many of them
  --rounds N             how often what is compared is measured, in turn; default 3
  --watched MS           nodes: how long they are watched
  --only TEXT            roundtrip: systems whose name holds the text
  --profile FOLDER       roundtrip: CPU profiles of our server
  --json FILE            the figures as JSON
  --curve FILE           dispatcher: the curve over the ratio as SVG
`;

const bench = BENCHES[positionals[0] ?? ""];
if (values.help) process.stdout.write(USAGE);
else if (bench) {
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
  process.stderr.write(USAGE);
  process.exit(2);
}
