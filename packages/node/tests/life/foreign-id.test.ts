import { FOREIGN_NODE_ID } from "@genai/protocol";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { NodeProcess } from "../support/node-process.ts";
import { StandInServer } from "../support/stand-in-server.ts";

test("a node whose id belongs to another says so, names the flag, and does not take the server for one of v1", async () => {
  await using server = await StandInServer.start();
  server.refusal = { code: 1008, reason: FOREIGN_NODE_ID };
  await using node = new NodeProcess(["-t", "test", "-b", server.backend, "--node-id", "gpu-7"]);
  await until("a word in the log", () => node.program.output.includes("give this one its own with --node-id"));
  expect(node.program.output).toMatch(/"level":40,.*"nodeId":"gpu-7","msg":"the server refused this node's id/);
  node.program.signal("SIGTERM");
  expect(await node.ended()).toBe(0);
  expect(node.program.output).not.toContain("the server speaks v1");
}, 60_000);
