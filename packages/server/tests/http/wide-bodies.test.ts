import { expect, test } from "@jest/globals";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const WIDE = { settings: { bodyBytesMax: 32_000_000, promptCharsMax: 10_000 } } as const;
const PIPELINE = '"pipeline":{"type":"standard","prompt":"a fox"}';
const JSON_TYPE = { "content-type": "application/json" };
const many = (count: number, entry: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => entry(n)).join(",");

test.each([
  ["one unknown key of 30 MB", () => `{${PIPELINE},"${"x".repeat(30_000_000)}":1}`, "invalid_request"],
  ["90,000 unknown keys", () => `{${PIPELINE},${many(90_000, (n) => `"prompt${n}":1`)}}`, "invalid_request"],
  ["a million values", () => `{${PIPELINE},"metadata":[${"1,".repeat(1_000_000)}1]}`, "invalid_json"],
  ["90,000 wrong images", () => comfy(`"images":{${many(90_000, (n) => `"${n}":{"part":1}`)}}`), "invalid_request"],
  ["90,000 nodes", () => comfy(`"workflow":{${many(90_000, (n) => `"${n}":{}`)}}`), "invalid_request"],
  [
    "9,000 nodes of long names",
    () => comfy(`"workflow":{${many(9_000, (n) => `"${"n".repeat(300)}${n}":{}`)}}`),
    "invalid_request",
  ],
  [
    "90,000 words of metadata",
    () => `{${PIPELINE},"metadata":{${many(90_000, (n) => `"${"k".repeat(200)}${n}":1`)}}}`,
    "invalid_request",
  ],
])("a body with %s is refused without a look at each of them", async (_what, body, code) => {
  await using server = await TestHttpServer.start(WIDE);
  const answer = await rawHttp("POST", `${server.url}/v2/tasks`, { headers: JSON_TYPE, body: body() });
  expect([answer.status, answer.json().code]).toEqual([400, code]);
  expect(answer.text.length).toBeLessThan(4_000);
  // A look at each took a minute for the first of them. The test's own time limit says that none is taken.
});

test("of unknown keys the first ten are named, those of everyday length with the nearest known one", async () => {
  await using server = await TestHttpServer.start(WIDE);
  const body = `{${PIPELINE},"prioritie":1,"${"y".repeat(65)}":1,${many(50, (n) => `"zzzz${n}":1`)}}`;
  const answer = await rawHttp("POST", `${server.url}/v2/tasks`, { headers: JSON_TYPE, body });
  const fields = answer.json().errors as readonly { readonly field: string; readonly message: string }[];
  expect(fields).toHaveLength(10);
  expect(fields.slice(0, 2)).toEqual([
    { field: "prioritie", message: "is not known here; did you mean priority?" },
    { field: `${"y".repeat(64)}…`, message: "is not known here" },
  ]);
});

test("commas and brackets in texts are no values", async () => {
  await using server = await TestHttpServer.start(WIDE);
  const prompt = ',"[{\\'.repeat(50_000).slice(0, 9_000);
  expect((await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "standard", prompt } })).status).toBe(201);
  const images = JSON.stringify({ "a.png": ",".repeat(300_000) });
  const pipelineData = JSON.stringify({ "1": { class_type: "LoadImage", inputs: { image: "a.png" } } });
  const comfyPipeline = { pipelineData, pipelineDependencies: { images } };
  expect((await postJson(`${server.url}/v1/tasks/`, { token: "ann", comfyPipeline })).status).toBe(201);
});

test("v1's graph is bounded as a body is", async () => {
  await using server = await TestHttpServer.start(WIDE);
  for (const pipelineData of [`{${many(200_000, (n) => `"${n}":{}`)}}`, `{"a":${"[".repeat(5_000)}`, `{"a":1`, "[]"]) {
    const answer = await postJson(`${server.url}/v1/tasks/`, { token: "ann", comfyPipeline: { pipelineData } });
    expect(answer.status).toBe(400);
    expect(answer.json().error).toContain("pipelineData must be a string that holds a JSON object");
  }
});

function comfy(part: string): string {
  const workflow = part.startsWith('"workflow"') ? "" : '"workflow":{"1":{"class_type":"A","inputs":{}}},';
  return `{"pipeline":{"type":"comfy",${workflow}${part}}}`;
}
