import { SERVER_CASES } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import { RealServer } from "../support/real-server.ts";

test.each(Object.entries(SERVER_CASES))(
  "our server conforms: %s",
  async (_name, run) => {
    await using server = await RealServer.start();
    const call = async (path: string, init?: RequestInit) =>
      (await (await fetch(server.url + path, init)).json()) as { id: string; state: string };
    const pipeline = { type: "standard", prompt: "a fox" };
    const post = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ pipeline }),
    };
    const verdict = run({
      port: server.port,
      submit: async () => (await call("/v2/tasks", post)).id,
      stateOf: async (taskId) => (await call(`/v2/tasks/${taskId}`)).state,
    });
    await expect(verdict).resolves.toBeUndefined();
  },
  60_000,
);
