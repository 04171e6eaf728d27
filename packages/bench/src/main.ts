import { parseArgs } from "node:util";
import { roundtrip } from "./roundtrip/roundtrip.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: "string" },
    rounds: { type: "string" },
    only: { type: "string" },
    profile: { type: "string" },
  },
});

/** `npm run bench -- <name>`: measures and prints; the numbers to hold stand beside the figures. */
const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  roundtrip: () =>
    roundtrip({
      tasks: Number(values.tasks ?? 20_000),
      rounds: Number(values.rounds ?? 3),
      only: values.only ?? "",
      profile: values.profile ?? null,
    }),
};

const bench = BENCHES[positionals[0] ?? ""];
if (bench) await bench();
else {
  process.stderr.write(`Which bench? ${Object.keys(BENCHES).join(", ")}\n`);
  process.exitCode = 2;
}
