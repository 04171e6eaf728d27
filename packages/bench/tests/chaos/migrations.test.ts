import { test } from "@jest/globals";
import { migrations } from "../../src/chaos/trials/migrations.ts";
import { shortForm } from "./support/short-form.ts";

test(
  "check 23: a migration that is killed leaves the old schema or the new one, never half of it",
  () => shortForm(migrations, { kills: 4, starters: 3 }),
  120_000,
);
