import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { VARIABLES, type Variable } from "../../src/configuration/variables.ts";

const path = join(import.meta.dirname, "../../../../README.md");
const section = /(<!-- settings of the server: [^\n]*-->\n)([\s\S]*?)(<!-- end of the settings -->)/;

test("the README lists every variable of the server with its unit, default and one line", () => {
  const readme = readFileSync(path, "utf8");
  const table = settingsTable();
  if (process.env.UPDATE_DOCS === "1")
    writeFileSync(
      path,
      readme.replace(section, (_all, start, _old, end) => start + table + end),
    );
  expect(section.exec(readFileSync(path, "utf8"))?.[2]).toBe(table);
});

function settingsTable(): string {
  const rows = (Object.entries(VARIABLES) as [string, Variable][]).map(([name, variable]) => {
    const preset = variable.default === null ? "" : variable.default === "" ? "empty" : `\`${variable.default}\``;
    return `| \`${name}\`${variable.secret ? " (secret)" : ""} | ${variable.unit} | ${preset} | ${variable.line} |\n`;
  });
  return `| variable | unit | default | what it does |\n|---|---|---|---|\n${rows.join("")}`;
}
