import { Agent } from "node:http";
import { OPERATIONS, type Operation } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { rawHttp } from "../support/raw-http.ts";
import { RealServer } from "../support/real-server.ts";

/** The long form: `GENERATED_REQUESTS=10000`. */
const REQUESTS = Number(process.env.GENERATED_REQUESTS ?? 2_500);

const word = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 10 }),
  fc.constantFrom(
    "",
    "0",
    "-1",
    "null",
    "__proto__",
    "constructor",
    "../..",
    "%00",
    "standard",
    "comfy",
    "\u0000",
    "NaN",
  ),
);

/** Any JSON, with numbers at the edges. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  word,
  fc.constantFrom<unknown>(null, true, -1, 0, 0.5, 513, 2 ** 53, 1e308, -1e308, [], {}, [[[[]]]]),
  fc.constant(JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as unknown),
);

const standard = fc.record(
  {
    type: fc.constant("standard"),
    prompt: fc.string({ minLength: 1, maxLength: 60 }),
    negativePrompt: fc.string({ maxLength: 20 }),
    model: fc.string({ maxLength: 20 }),
    width: fc.integer({ min: 8, max: 256 }).map((blocks) => blocks * 8),
    height: fc.integer({ min: 8, max: 256 }).map((blocks) => blocks * 8),
    steps: fc.integer({ min: 1, max: 50 }),
    guidanceScale: fc.double({ min: 0, max: 20, noNaN: true }),
    seed: fc.nat(),
    count: fc.integer({ min: 1, max: 4 }),
    strength: fc.double({ min: 0, max: 1, noNaN: true }),
  },
  { requiredKeys: ["type", "prompt"] },
);
const graph = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 5 }),
  fc.record({ class_type: fc.string(), inputs: fc.dictionary(fc.string({ maxLength: 8 }), anything, { maxKeys: 3 }) }),
  { maxKeys: 4 },
);
const v2Task = fc.record(
  {
    pipeline: fc.oneof(standard, fc.record({ type: fc.constant("comfy"), workflow: graph })),
    maxCost: fc.double({ min: 0, max: 100, noNaN: true }),
    timeToMoneyRatio: fc.double({ min: 0, max: 10, noNaN: true }),
    priority: fc.integer({ min: -10, max: 10 }),
    requirements: fc.record({ engine: fc.constant("test"), models: fc.array(fc.string({ minLength: 1 })) }),
    maxAttempts: fc.integer({ min: 1, max: 5 }),
    metadata: fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), anything, { maxKeys: 3 }),
  },
  { requiredKeys: ["pipeline"] },
);
const v1Task = fc.record(
  {
    token: word,
    standardPipeline: fc.record({ prompt: fc.string({ minLength: 1 }) }),
    comfyPipeline: fc.record({
      pipelineData: fc.oneof(
        graph.map((value) => JSON.stringify(value)),
        word,
      ),
    }),
    max_cost: fc.nat(),
  },
  { requiredKeys: [] },
);

/** Puts something else at one of the places of a value: another value, nothing, or a key that nobody knows. */
function broken(value: unknown, choice: { readonly at: number; readonly by: unknown; readonly how: number }): unknown {
  if (typeof value !== "object" || value === null) return choice.by;
  const entries: [string, unknown][] = Object.entries(value);
  if (choice.how === 0 || entries.length === 0) return { ...value, surprise: choice.by };
  const [name, inner] = entries[choice.at % entries.length] ?? ["", null];
  if (choice.how === 1) return Object.fromEntries(entries.filter(([key]) => key !== name));
  const next = { ...choice, at: Math.floor(choice.at / entries.length), how: choice.how - 1 };
  return { ...value, [name]: broken(inner, next) };
}

const body = fc
  .tuple(
    fc.oneof(v2Task, v1Task),
    fc.array(fc.record({ at: fc.nat(), by: anything, how: fc.nat(5) }), { maxLength: 2 }),
  )
  .map(([whole, breaks]) => breaks.reduce<unknown>(broken, whole));

const header = fc.oneof(
  fc.constantFrom("application/json", "application/json; charset=utf-8", "text/plain", "multipart/form-data", ""),
  fc.stringMatching(/^[a-z/;= ]{0,20}$/),
);

/** A request of an operation, valid or broken in any of its parts. */
const request = fc.record({
  operation: fc.constantFrom(...OPERATIONS.filter(({ id }) => !/events$/i.test(id))),
  ids: fc.oneof(fc.constant(null), word),
  query: fc.dictionary(fc.constantFrom("limit", "cursor", "state", "model", "metadata", "user", "x"), word, {
    maxKeys: 2,
  }),
  contentType: fc.oneof({ weight: 4, arbitrary: fc.constant("application/json") }, { weight: 1, arbitrary: header }),
  key: fc.option(fc.stringMatching(/^[!-~]{0,260}$/), { nil: undefined }),
  body: fc.oneof(
    { weight: 9, arbitrary: body.map((value) => JSON.stringify(value)) },
    {
      weight: 1,
      arbitrary: fc.oneof(
        word,
        anything.map((value) => JSON.stringify(value).slice(1)),
      ),
    },
  ),
});

test(`check 30: ${REQUESTS} generated requests, valid and broken, get no 5xx and only documented answers`, async () => {
  await using server = await RealServer.start({ WS_TASK_TIMEOUT: "0.001", READ_RATE_LIMIT: "off" });
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const inherited = Object.getOwnPropertyNames(Object.prototype).sort();
  const tasks: string[] = [];
  const statuses: Record<number, number> = {};

  async function send(generated: typeof request extends fc.Arbitrary<infer Value> ? Value : never): Promise<void> {
    const { operation, ids, query, contentType, key } = generated;
    const id = ids ?? tasks[tasks.length - 1] ?? "none";
    const path = operation.path.replaceAll(/\{\w+\}/g, encodeURIComponent(id));
    const search = operation.query === undefined ? "" : `?${new URLSearchParams(query)}`;
    const answer = await rawHttp(operation.method, `${server.url}${path}${search}`, {
      headers: { "content-type": contentType, ...(key === undefined ? {} : { "idempotency-key": key }) },
      ...(operation.body === undefined ? {} : { body: generated.body }),
      agent,
    });
    if (mayFail(operation, answer.status)) return;
    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    if (answer.status >= 500) {
      throw new Error(`${operation.method} ${path}: ${answer.status} ${answer.text}\n${generated.body}`);
    }
    if (answer.status === 201 && operation.id === "createTask") tasks.push(String(answer.json().id));
  }

  const seed = Number(process.env.SEED ?? 1);
  const samples = fc.sample(request, { numRuns: REQUESTS, seed });
  try {
    for (let at = 0; at < samples.length; at += 16) await Promise.all(samples.slice(at, at + 16).map(send));
  } catch (error) {
    throw new Error(`with SEED=${seed}`, { cause: error });
  } finally {
    agent.destroy();
  }
  expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(inherited);
  // The generator must reach the valid as well as the broken.
  expect(statuses[201]).toBeGreaterThan(REQUESTS / 200);
  expect(statuses[400]).toBeGreaterThan(REQUESTS / 20);
  console.info(
    `check 30: SEED=${seed}, ${REQUESTS} generated requests of ${OPERATIONS.length} operations, by status: ${JSON.stringify(statuses)}`,
  );
}, 600_000);

/** No node is connected: health says so, and the synchronous call runs out of time. */
function mayFail(operation: Operation, status: number): boolean {
  return (operation.id === "v1Health" && status === 500) || (operation.id === "v1Generate" && status === 504);
}
