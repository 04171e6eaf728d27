import { VARIABLES, type Variable } from "./variables.ts";

/** Columns that a line of help takes at most. */
const WIDTH = 110;
const INDENT = 26;

const HEAD = `Usage: genai-scaler

Makes and removes nodes through Docker and vast.ai, over gRPC, until SIGTERM or SIGINT. It takes no arguments; its settings
come from the environment, secrets also from the file that <NAME>_FILE names. docs/scaler.md says more.
`;

/** What `genai-scaler --help` prints. */
export function helpText(): string {
  const variables = Object.entries(VARIABLES as Readonly<Record<string, Variable>>).map(([name, variable]) => {
    // A long name has a line of its own.
    const head = name.length > INDENT - 4 ? `  ${name}\n${" ".repeat(INDENT)}` : `  ${name}`.padEnd(INDENT);
    const standing = variable.default === null || variable.default === "" ? "" : ` Default ${variable.default}.`;
    return `${head}${wrap(`${variable.line}${standing}`, WIDTH - INDENT).join(`\n${" ".repeat(INDENT)}`)}\n`;
  });
  return `${HEAD}\n${variables.join("")}`;
}

function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
