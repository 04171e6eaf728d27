import { test } from "@jest/globals";
import { backlog } from "../../src/chaos/trials/backlog.ts";
import { lease } from "../../src/chaos/trials/lease.ts";
import { nodeLife } from "../../src/chaos/trials/node-life.ts";
import { outage } from "../../src/chaos/trials/outage.ts";
import { shortForm } from "./support/short-form.ts";

test(
  "server and nodes are killed and their links cut at random: every task ends once, and no result on a disk is lost",
  () => shortForm(lease, { tasks: 100, pauseMs: 700, blackHoleMsMax: 2_000 }, { seed: 1 }),
  120_000,
);

test(
  "nodes are killed, their sockets cut and their engines restarted at random: no result that was made is lost",
  () => shortForm(nodeLife, { tasks: 40, pauseMs: 500, blackHoleMsMax: 2_000 }, { seed: 7 }),
  120_000,
);

test(
  "a result that was made while the server was away arrives when it is back, and was made once",
  () => shortForm(outage, { awayMs: 2_000 }),
  60_000,
);

test(
  "kill -9 of the server with 200 tasks waiting: the node that reconnects finishes all of them",
  () => shortForm(backlog, { tasks: 200 }),
  120_000,
);
