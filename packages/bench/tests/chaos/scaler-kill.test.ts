import { test } from "@jest/globals";
import { scalerKill } from "../../src/chaos/trials/scaler-kill.ts";
import { shortForm } from "./support/short-form.ts";

/** Skipped where no Docker engine answers, as jest's globalSetup has found out. */
const dockerTest = process.env.GENAI_TEST_DOCKER === "no" ? test.skip : test;

dockerTest(
  "ten kills of the scaler at any moment leave no container that its list does not show, and none twice",
  () => shortForm(scalerKill, { kills: 10 }),
  300_000,
);
