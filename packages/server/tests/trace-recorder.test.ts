import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { ConfigurationError } from "../src/configuration/configuration.ts";
import { TraceRecorder } from "../src/trace-recorder.ts";

const logger = pino({ level: "silent" });

test("a trace goes on behind what its file holds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "genai-trace-"));
  try {
    const path = join(folder, "trace.jsonl");
    for (const leaseMs of [1_000, 2_000]) {
      const trace = new TraceRecorder(path, logger);
      trace.started({ leaseMs });
      trace.heard(5, { type: "tick" });
      await trace.close();
    }
    expect((await readFile(path, "utf8")).trimEnd().split("\n")).toEqual([
      '{"options":{"leaseMs":1000}}',
      '{"nowMs":5,"input":{"type":"tick"}}',
      '{"options":{"leaseMs":2000}}',
      '{"nowMs":5,"input":{"type":"tick"}}',
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a file that can't be written is a wrong TRACE_FILE", () => {
  const open = () => new TraceRecorder("/dev/null/trace.jsonl", logger);
  expect(open).toThrow(ConfigurationError);
  expect(open).toThrow('TRACE_FILE is "/dev/null/trace.jsonl", which can\'t be written.');
});
