import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { genai } from "./support/run.ts";

test.each(["queue", "models", "usage", "tasks list", "keys list", "nodes list"])(
  "Ctrl-C ends %s while a server that is silent is waited for",
  async (command) => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const interrupt = new AbortController();
    silent.once("request", () => interrupt.abort());
    const server = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    try {
      const args = [...command.split(" "), "--server", server, "--token", "t"];
      expect(await genai(args, { signal: interrupt.signal })).toEqual({
        exitCode: 130,
        stdout: "",
        stderr: "genai-cli: Interrupted before the server answered.\n",
      });
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  },
);
