import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What Node has for its end when it has nothing left to run, in milliseconds. It takes a few. */
const END_MS = Number(process.env.JEST_END_MS ?? 30_000);

const own = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Runs jest with what the command line gives it, and prints the closing line that people and machines look for:
 *  `N passed, N failed, N skipped`. How the tests ended it hears from {@link ./results-reporter.js}, over a pipe, as jest's last act.
 *
 *  A leaked handle hangs jest on purpose, and before that. Afterwards only Node itself can hang: a thread that compiles waits for the main
 *  thread to collect garbage, which waits for it (https://github.com/nodejs/node/issues/54918, seen in 20 to 26). Nothing of ours runs by
 *  then, so it is ended by force. */
const jest = spawn(
  process.execPath,
  [
    ...["--import", own("typescript-hooks.js"), "--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
    fileURLToPath(import.meta.resolve("jest/bin/jest")),
    ...process.argv.slice(2),
    ...["--reporters", "default", "--reporters", own("results-reporter.js")],
  ],
  { stdio: ["inherit", "inherit", "inherit", "pipe"] },
);

let results = "";
let tooLate;
jest.stdio[3].setEncoding("utf8");
jest.stdio[3].on("data", (text) => {
  results += text;
  tooLate ??= setTimeout(() => jest.kill("SIGKILL"), END_MS);
});

jest.on("close", (code, signal) => {
  clearTimeout(tooLate);
  const when = results === "" ? "" : " when it had run everything";
  if (signal !== null) console.error(`jest was ended by ${signal}${when}.`);
  if (results === "") {
    process.exitCode = code || 1;
    return;
  }
  const { line, success } = JSON.parse(results);
  console.log(`\n${line}`);
  process.exitCode = code ?? (signal === "SIGKILL" && success ? 0 : 1);
});
