import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Capabilities, NodeFrame, ServerFrame, type TaskFrame } from "@genai/protocol";
import { RawSocket } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import type { z } from "zod";
import { CLOSE_CODES } from "../../src/sessions/close-codes.ts";
import { DEFAULT_GATEWAY_LIMITS } from "../../src/sessions/gateway-limits.ts";
import { RealServer } from "../support/real-server.ts";
import { described, png, sha256 } from "./support/pictures.ts";

const page = readFileSync(fileURLToPath(new URL("../../../../docs/protocol.md", import.meta.url)), "utf8");

/** The first column of the first table below a heading. */
function firstColumnBelow(heading: string): readonly string[] {
  const section = page.split(`\n${heading}\n`)[1]?.split(/\n#/)[0] ?? "";
  return [...section.matchAll(/^\| (\S+) \|/gm)].map(([, cell]) => cell ?? "").filter((cell) => cell !== "field");
}

/** Fields of a schema as the page names them: `?` behind those that may be missing. */
function fieldsOf(shape: Readonly<Record<string, z.ZodType>>): readonly string[] {
  return Object.entries(shape).map(([name, schema]) => (schema.safeParse(undefined).success ? `${name}?` : name));
}

test.each([...NodeFrame.options, ...ServerFrame.options].map(({ shape }) => [shape.type.value, shape] as const))(
  "the page lists every field of the frame %s",
  (type, shape) => {
    expect(firstColumnBelow(`### ${type}`)).toEqual(fieldsOf(shape));
  },
);

test("the page lists every field of the capabilities", () => {
  expect(firstColumnBelow("## Capabilities")).toEqual(fieldsOf(Capabilities.shape));
});

test("the page lists every close code, and the limits as they are", () => {
  expect(firstColumnBelow("## Close codes")).toEqual(expect.arrayContaining(Object.values(CLOSE_CODES).map(String)));
  expect(page).toContain(`| bad frames | ${DEFAULT_GATEWAY_LIMITS.badFramesPerMinute} a minute |`);
  expect(page).toContain(`| replacements of one node id | ${DEFAULT_GATEWAY_LIMITS.replacementsPerMinute} a minute |`);
  expect(page).toContain(`after ${DEFAULT_GATEWAY_LIMITS.silenceMs / 1_000} s without a sign of life`);
  expect(page).toContain(`The server pings every ${DEFAULT_GATEWAY_LIMITS.pingMs / 1_000} s`);
});

test("the page's session happens as it is written", async () => {
  await using server = await RealServer.start();
  const pipeline = { type: "standard", prompt: "a red fox", width: 64, height: 64, steps: 4 };
  await fetch(`${server.url}/v2/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ pipeline }),
  });
  const node = await RawSocket.connect(server.port);
  const lines = page.split("```session\n")[1]?.split("\n```")[0]?.split("\n") ?? [];
  const exampleId = /"attemptId":"([^"]+)"/.exec(lines.join())?.[1] ?? "";
  const picture = png();
  let task: TaskFrame | null = null;
  for (const line of lines) {
    const text = line.slice(2).replaceAll(exampleId, task?.attemptId ?? exampleId);
    if (line === "→ PUT picture 0") {
      const url = task?.uploadUrl.replace("{n}", "0") ?? "";
      expect((await fetch(url, { method: "PUT", body: new Uint8Array(picture) })).status).toBe(201);
    } else if (line.startsWith("→ ")) {
      const frame = JSON.parse(text.replace("<sha256>", sha256(picture))) as Record<string, unknown>;
      if (frame.type === "result") frame.artifacts = [described(picture)];
      NodeFrame.parse(frame);
      node.say(frame);
    } else {
      const heard = await node.next();
      const { uploadUrl: _, ...expected } = JSON.parse(text) as Record<string, unknown>;
      if (heard.type === "task") {
        task = ServerFrame.parse(heard) as TaskFrame;
        expected.attemptId = task.attemptId;
      }
      expect(heard).toMatchObject(expected);
      expect(Object.keys(heard)).toEqual(Object.keys(JSON.parse(text)));
    }
  }
  expect(lines).toHaveLength(11);
  await node.settled();
  node.close();
  await node.closed;
}, 30_000);
