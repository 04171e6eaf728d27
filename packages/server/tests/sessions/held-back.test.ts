import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { DEFAULT_GATEWAY_LIMITS } from "../../src/sessions/gateway-limits.ts";
import { ClockInHand } from "./support/clock-in-hand.ts";
import { Gate } from "./support/gate.ts";
import { png } from "./support/pictures.ts";
import { setup } from "./support/setup.ts";

const MIB = 1_024 * 1_024;
const RESULTS = 20;

/** A result whose frame is large though its picture is small, so that the frame alone is what has to be held back. */
function largeResult(taskId: string): object {
  const picture = `data:image/png;base64,${png(8, 8).toString("base64")}`;
  return { type: "result", status: "ready", taskId, resultsUrl: [picture], more: "m".repeat(5 * MIB) };
}

test("while large results of a node are stored its others stay with it, and it is not taken for silent meanwhile", async () => {
  const gate = new Gate();
  const clock = new ClockInHand();
  await using gateway = await setup({ clock, limits: { tickMs: 5 }, before: (real) => gate.before(real) });
  const peer = await gateway.legacy("n", { perMessageDeflate: false });
  for (let i = 0; i < RESULTS; i++) peer.say(largeResult(gateway.attempt("n")));
  let read = 0;
  await until("nothing more is read", async () => {
    const before = read;
    await new Promise((resolve) => setTimeout(resolve, 500));
    read = gateway.counted.read;
    return read > 0 && read === before;
  });
  // One that is being stored and one that waits; a third may have been in the same read.
  expect(read).toBeLessThanOrEqual(3);
  const { silenceMs, pingMs } = DEFAULT_GATEWAY_LIMITS;
  for (let passedMs = 0; passedMs < 2 * silenceMs; passedMs += pingMs / 2) await clock.pass(pingMs / 2);
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
  gate.open();
  await gateway.events.next("completed", RESULTS);
  expect(gateway.events.of("completed")).toHaveLength(RESULTS);
  expect(gateway.gateway.onlineNodeCount()).toBe(1);
});
