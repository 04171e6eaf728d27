import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NODE_CASES, type NodeUnderTest } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";

const main = join(import.meta.dirname, "../../dist/main.js");

/** The program as it is shipped, with a home of its own that outlives its processes. */
function ourNode(): NodeUnderTest & Disposable {
  const home = mkdtempSync(join(tmpdir(), "genai-node-"));
  let child: ReturnType<typeof spawn> | null = null;
  return {
    start: async (backend) => {
      const args = ["-b", backend, "-t", "test", "--slots", "2", "--step-ms", "50", "--home", home];
      child = spawn(process.execPath, [main, ...args], { stdio: "ignore" });
      await once(child, "spawn");
    },
    kill: async () => {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}

test.each(Object.entries(NODE_CASES))(
  "our node conforms: %s",
  async (_name, run) => {
    using node = ourNode();
    await expect(run(node)).resolves.toBeUndefined();
  },
  60_000,
);
