import { test } from "@jest/globals";
import { diskFull } from "../../src/chaos/trials/disk-full.ts";
import { shortForm } from "./support/short-form.ts";

test(
  "check 21: while the disk is full writes are refused, reads and nodes go on, and all is back by itself",
  () => shortForm(diskFull, { rounds: 2 }),
  120_000,
);
