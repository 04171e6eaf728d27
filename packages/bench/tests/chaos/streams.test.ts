import { test } from "@jest/globals";
import { streams } from "../../src/chaos/trials/streams.ts";
import { shortForm } from "./support/short-form.ts";

test(
  "60 streams cut at random moments, with a kill -9 and a restart of the server among them, give what uncut ones give",
  () => shortForm(streams, { streams: 60 }, { seed: 1 }),
  240_000,
);
