import { writeSync } from "node:fs";

/** Tells `run-jest.js`, over the pipe that it opened, how the tests ended: at exit, when there is nothing left to run. */
export default class ResultsReporter {
  onRunComplete(_contexts, results) {
    // A suite that could not even be loaded has no failed test of its own; it counts as one, so that it is never overlooked.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const line = `${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped`;
    process.once("exit", (code) => {
      writeSync(3, JSON.stringify({ line, success: results.success && !code }));
    });
  }
}
