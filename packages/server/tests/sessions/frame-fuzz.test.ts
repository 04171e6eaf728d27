import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { FRAME_ATTACKS, fuzzFrames } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import { setup } from "./support/setup.ts";

test("check 27: 20,000 hostile frames close none but their own sockets, and the nodes beside them are answered all the while", async () => {
  await using gateway = await setup();
  const bystander = await gateway.modern("bystander");
  let beating = true;
  let beats = 0;
  const heartbeats = (async () => {
    while (beating) {
      bystander.say({ type: "heartbeat", seq: beats, free: 1, running: [] });
      expect(await bystander.next()).toMatchObject({ type: "heartbeatAck", seq: beats });
      beats += 1;
    }
  })();
  const { frames, connections, closeCodes } = await fuzzFrames({ port: gateway.port, frames: 20_000, seed: 27 });
  beating = false;
  await heartbeats;
  console.info(
    `check 27: ${frames} frames of ${Object.keys(FRAME_ATTACKS).length} kinds over ${connections} connections, ` +
      `close codes ${JSON.stringify(closeCodes)}, ${beats} heartbeats of a bystander answered`,
  );
  expect(gateway.gateway.sessions().map(({ nodeId }) => nodeId)).toContain("bystander");
  expect(gateway.events.of("nodeLost").map(({ nodeId }) => nodeId)).not.toContain("bystander");
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
}, 60_000);

test("check 27: the WebSocket library is one that bounds tiny fragments", () => {
  const manifest = createRequire(import.meta.url).resolve("ws/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const [major = 0, minor = 0] = version.split(".").map(Number);
  console.info(`check 27: ws ${version}`);
  expect(major > 8 || (major === 8 && minor >= 21)).toBe(true);
});
