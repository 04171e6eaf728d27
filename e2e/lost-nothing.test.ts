import { backlogTrial, leaseTrial, nodeLifeTrial, outageTrial } from "@genai/bench";
import { test } from "@jest/globals";

// The short forms of `npm run chaos -- lease`, `outage` and `backlog`. Each throws where a promise was broken.

test("server and nodes are killed and their links cut at random: every task ends once, and no result on a disk is lost", async () => {
  await leaseTrial({ seed: 1, tasks: 100, pauseMs: 700, blackHoleMsMax: 2_000 });
}, 120_000);

test("nodes are killed, their sockets cut and their engines restarted at random: no result that was made is lost", async () => {
  await nodeLifeTrial({ seed: 7, tasks: 40, pauseMs: 500, blackHoleMsMax: 2_000 });
}, 120_000);

test("a result that was made while the server was away arrives when it is back, and was made once", async () => {
  await outageTrial({ awayMs: 2_000 });
}, 60_000);

test("kill -9 of the server with 200 tasks waiting: the node that reconnects finishes all of them", async () => {
  await backlogTrial({ tasks: 200 });
}, 120_000);
