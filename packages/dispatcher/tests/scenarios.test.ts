import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { Scenario } from "./support/scenario.ts";

const FOLDER = new URL("./scenarios/", import.meta.url);

/** Plays a scenario and returns its text with what really came of each command. A paragraph is prose (`#`) or commands; what they come to
 *  stands under them after `----`. */
function played(text: string): string {
  const scenario = new Scenario();
  const paragraphs = text.trim().split(/\n\n+/);
  const lines = paragraphs.map((paragraph) => {
    if (paragraph.startsWith("#")) return paragraph;
    const commands = paragraph.split("\n----")[0]?.split("\n") ?? [];
    const outcome = commands.flatMap((command) => scenario.play(command));
    return [...commands, "----", ...(outcome.length === 0 ? ["nothing"] : outcome)].join("\n");
  });
  return `${lines.join("\n\n")}\n`;
}

test.each(readdirSync(FOLDER))("%s comes out as written", (name) => {
  const file = new URL(name, FOLDER);
  const text = readFileSync(file, "utf8");
  const outcome = played(text);
  // UPDATE_SCENARIOS=1 writes what came of it, to be read as a diff.
  if (process.env.UPDATE_SCENARIOS) writeFileSync(file, outcome);
  else expect(outcome).toBe(text);
});
