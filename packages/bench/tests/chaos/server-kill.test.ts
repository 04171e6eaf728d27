import { test } from "@jest/globals";
import { serverKill } from "../../src/chaos/trials/server-kill.ts";
import { shortForm } from "./support/short-form.ts";

test(
  "check 1: ten kills of the server at any moment lose no acknowledged task, settle none twice, and each ends",
  () => shortForm(serverKill, { kills: 10, tasks: 400, clients: 16, nodes: 20, startMsMax: 0 }),
  180_000,
);
