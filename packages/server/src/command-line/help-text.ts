import { VARIABLES, type Variable } from "../configuration/variables.ts";

/** Columns that a line of help takes at most. */
const WIDTH = 110;
const INDENT = 26;

const COMMANDS = `Usage: genai-server [command]

Without a command it serves until SIGTERM or SIGINT.

  check                   verify the store and its artifacts, and change nothing; works beside a running server.
                          Prints a sentence for each finding; exit code 1 where there is one
  migrate                 bring the store's schema up to date, and start nothing; can be done twice. On SQLite the
                          server must be stopped: it has locked its folder
  backup FILE             copy an SQLite store into a new file while its server works
  help, -h, --help        print this
  --version               print the version

Everything else comes from the environment:
`;

/** What `genai-server --help` prints. The variables come from their one table. */
export function helpText(): string {
  const variables = Object.entries(VARIABLES as Readonly<Record<string, Variable>>).map(([name, variable]) => {
    const standing = variable.default === null || variable.default === "" ? "" : ` Default ${variable.default}.`;
    const lines = wrap(`${variable.line}${standing}`, WIDTH - INDENT);
    // A long name has a line of its own.
    const head = name.length > INDENT - 4 ? `  ${name}\n${" ".repeat(INDENT)}` : `  ${name}`.padEnd(INDENT);
    return `${head}${lines.join(`\n${" ".repeat(INDENT)}`)}\n`;
  });
  return `${COMMANDS}\n${variables.join("")}`;
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
