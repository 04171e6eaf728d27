import { createHmac } from "node:crypto";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { LegacyNode } from "./support/legacy-node.ts";
import { Service } from "./support/service.ts";

const NO_AUTH = { ENFORCE_JWT_AUTH: "false" };
const SECRET = "a secret of thirty-two bytes and more";
/** A PNG of one pixel. */
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const GRAPH = JSON.stringify({ "1": { class_type: "SaveImage", inputs: {} } });

interface Answer {
  readonly status: number;
  readonly body: {
    readonly ok: boolean;
    readonly error: string;
    readonly task_id: string;
    readonly status: string;
    readonly result: { readonly images: readonly string[] };
    readonly count: number;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

async function call(service: Service, method: string, path: string, body?: unknown, token?: string): Promise<Answer> {
  const response = await fetch(service.url + path, {
    method,
    redirect: "manual",
    headers: token === undefined ? {} : { token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const socketUrl = (service: Service) => service.url.replace("http", "ws");

function firstTask(node: LegacyNode, count = 1) {
  return until(`task ${count} came`, () => node.tasks[count - 1] ?? null);
}

test("from a v1 client over a real server to a legacy node and back, each call with and without its slash", async () => {
  await using service = await Service.start({ nodes: 0, env: NO_AUTH });
  for (const slash of ["", "/"]) {
    for (const method of ["GET", "POST"]) {
      const hello = await call(service, method, `/v1/client/hello${slash}`);
      expect(hello).toEqual({ status: 200, body: { ok: true, url: `${socketUrl(service)}/` } });
    }
    const health = await call(service, "GET", `/v1/nodes/health${slash}`);
    expect(health).toEqual({ status: 500, body: { ok: false, status: "error", availableNodesCount: 0 } });
  }
  // Accepted while no node is connected: they wait.
  const ids: string[] = [];
  for (const slash of ["", "/"]) {
    const task = await call(service, "POST", `/v1/tasks${slash}`, { standardPipeline: { prompt: `fox ${slash}` } });
    expect(task).toMatchObject({ status: 201, body: { ok: true, message: expect.any(String) } });
    const graph = await call(service, "POST", `/v1/inference/comfyPipeline${slash}`, { pipelineData: GRAPH });
    expect(graph).toMatchObject({ status: 202, body: { ok: true, message: expect.any(String) } });
    ids.push(task.body.task_id, graph.body.task_id);
  }
  expect((await call(service, "GET", `/v1/tasks/${ids[0]}`)).body).toEqual({
    ok: true,
    status: "PENDING",
    result: null,
  });

  using node = await LegacyNode.connect(socketUrl(service), "any text as an id", {});
  for (const [n, id] of ids.entries()) {
    const task = await firstTask(node, n + 1);
    expect(task.taskId).toBe(id);
    node.answer(task.taskId, n === 0 ? [PIXEL, "https://elsewhere.example/a.png"] : [PIXEL]);
  }
  // Compact JSON with exactly these keys in v1's words; one at a time.
  expect(node.received.slice(0, 2)).toEqual([
    `{"taskId":"${ids[0]}","options":{"prompt":"fox ","model":"","size":null,"steps":null},"comfyOptions":null}`,
    `{"taskId":"${ids[1]}","options":null,"comfyOptions":{"pipelineData":${JSON.stringify(GRAPH)},"pipelineDependencies":null}}`,
  ]);
  const done = await until("the first has ended", async () => {
    const answer = await call(service, "GET", `/v1/tasks/${ids[0]}/`);
    return answer.body.status === "SUCCESS" && answer;
  });
  expect(done.status).toBe(201);
  const [ours, theirs] = done.body.result.images;
  expect(theirs).toBe("https://elsewhere.example/a.png");
  const picture = await fetch(ours ?? "");
  expect([picture.status, picture.headers.get("content-type")]).toEqual([200, "image/png"]);
  expect(Buffer.from(await picture.arrayBuffer()).toString("base64")).toBe(PIXEL.split(",")[1]);
  const list = await call(service, "GET", "/v1/tasks");
  expect([list.status, list.body.count, Object.keys(list.body.data).sort()]).toEqual([200, 4, [...ids].sort()]);

  // The call that waits: with a picture, with a failure of five nodes' unexplained errors.
  const waiting = call(service, "POST", "/v1/images/generation/", { standardPipeline: { prompt: "now" } });
  node.answer((await firstTask(node, 5)).taskId, [PIXEL]);
  expect(await waiting).toMatchObject({ status: 202, body: { ok: true, result: { images: [expect.any(String)] } } });
}, 60_000);

test("a task of a node that breaks off goes to another at once, and what comes late, twice or from a stranger changes nothing", async () => {
  await using service = await Service.start({ nodes: 0, env: NO_AUTH });
  using first = await LegacyNode.connect(socketUrl(service), "first");
  const { body } = await call(service, "POST", "/v1/tasks/", { standardPipeline: { prompt: "a fox" } });
  const given = await firstTask(first);
  using second = await LegacyNode.connect(socketUrl(service), "second");
  await service.nodesOnline(2);
  second.answer(given.taskId, [PIXEL]);
  first.breakOff();
  const again = await firstTask(second);
  expect(again.taskId).not.toBe(given.taskId);
  expect((await call(service, "GET", `/v1/tasks/${body.task_id}`)).body.status).toBe("PENDING");
  using back = await LegacyNode.connect(socketUrl(service), "first");
  back.answer(given.taskId, [PIXEL, PIXEL]);
  second.answer(again.taskId, [PIXEL]);
  second.answer(again.taskId, [PIXEL, PIXEL]);
  second.send("this is no JSON");
  second.send('{"type":"result"}');
  second.answer("unknown", [PIXEL]);
  const done = await until("it has ended", async () => {
    const answer = await call(service, "GET", `/v1/tasks/${body.task_id}`);
    return answer.body.status === "SUCCESS" && answer;
  });
  expect(done.body.result.images).toHaveLength(1);
  expect([back.closed, second.closed]).toEqual([null, null]);
  // Both work on.
  const next = await call(service, "POST", "/v1/tasks/", { standardPipeline: { prompt: "more" } });
  await until("one of them has it", () => back.tasks.length + second.tasks.length === 2 || false);
  expect(next.status).toBe(201);
}, 60_000);

test("register without metadata is closed with 1008, `close` is a goodbye, and the newest connection of an id gets the tasks", async () => {
  await using service = await Service.start({ nodes: 0, env: NO_AUTH });
  using bare = await LegacyNode.connect(socketUrl(service), "bare", null);
  await until("it is closed", () => bare.closed !== null);
  expect(bare.closed).toBe(1008);
  using old = await LegacyNode.connect(socketUrl(service), "same id");
  await service.nodesOnline(1);
  using young = await LegacyNode.connect(socketUrl(service), "same id");
  await until("the old connection is closed", () => old.closed !== null);
  await call(service, "POST", "/v1/tasks/", { standardPipeline: { prompt: "a fox" } });
  young.answer((await firstTask(young)).taskId, [PIXEL]);
  young.send("close");
  await until("nobody is online", async () => (await call(service, "GET", "/v1/nodes/health/")).status === 500);
}, 60_000);

test("refusals name the field, foreign tasks can't be told from none, and a call that outlives its time is 504", async () => {
  await using service = await Service.start({
    nodes: 0,
    env: { ...NO_AUTH, WS_TASK_TIMEOUT: "1", MAX_BODY_BYTES: "20000" },
  });
  for (const [body, field] of [
    [{}, /standardPipeline and comfyPipeline/],
    [{ standardPipeline: { prompt: "" } }, /prompt/],
    [{ standardPipeline: { prompt: 3 } }, /prompt/],
    [{ comfyPipeline: {} }, /pipelineData/],
    [{ comfyPipeline: { pipelineData: "[]" } }, /pipelineData/],
    [{ standardPipeline: { prompt: "x" }, max_cost: "much" }, /max_cost/],
    [{ standardPipeline: { prompt: "x" }, time_to_money_ratio: -1 }, /time_to_money_ratio/],
  ] as const) {
    const answer = await call(service, "POST", "/v1/tasks/", body);
    expect([answer.status, answer.body.ok]).toEqual([400, false]);
    expect(answer.body.error).toMatch(field);
  }
  const large = await call(service, "POST", "/v1/tasks/", { standardPipeline: { prompt: "x".repeat(20_001) } });
  expect([large.status, large.body.ok]).toEqual([413, false]);
  expect((await call(service, "GET", "/v1/tasks/", undefined, "nobody")).status).toBe(403);
  const mine = await call(service, "POST", "/v1/tasks/", { standardPipeline: { prompt: "x" } }, "ann");
  const foreign = await call(service, "GET", `/v1/tasks/${mine.body.task_id}`, undefined, "bob");
  const unknown = await call(service, "GET", "/v1/tasks/01a20e11-02aa-7060-93d1-c8dceeec92cd", undefined, "bob");
  expect(foreign).toEqual(unknown);
  expect(foreign.status).toBe(403);
  const late = await call(service, "POST", "/v1/images/generation/", { standardPipeline: { prompt: "x" } });
  expect(late).toMatchObject({ status: 504, body: { ok: false, task_id: expect.any(String) } });
  expect((await call(service, "GET", `/v1/tasks/${late.body.task_id}`)).body.status).toBe("PENDING");
}, 60_000);

test("with authentication on a caller is the sub of his JWT, wherever the token stands", async () => {
  await using service = await Service.start({ nodes: 0, env: { JWT_SECRET: SECRET } });
  const token = jwt({ sub: "ann", aud: "authenticated" });
  const task = { standardPipeline: { prompt: "a fox" } };
  expect((await call(service, "POST", "/v1/tasks/", task)).status).toBe(401);
  expect((await call(service, "POST", "/v1/tasks/", task, "not a JWT")).status).toBe(401);
  expect((await call(service, "POST", "/v1/tasks/", task, jwt({ sub: "ann", exp: 1 }))).status).toBe(401);
  expect((await call(service, "POST", "/v1/tasks/", task, token)).status).toBe(201);
  expect((await call(service, "POST", "/v1/tasks/", { ...task, token })).status).toBe(201);
  const bearer = await fetch(`${service.url}/v1/tasks/`, { headers: { authorization: `Bearer ${token}` } });
  expect(((await bearer.json()) as { count: number }).count).toBe(2);
  expect((await call(service, "GET", "/v1/tasks/", undefined, jwt({ sub: "bob" }))).status).toBe(403);
  expect((await call(service, "GET", "/v1/client/hello/")).status).toBe(200);
}, 60_000);

/** An HS256 token under SECRET, made by hand. */
function jwt(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}
