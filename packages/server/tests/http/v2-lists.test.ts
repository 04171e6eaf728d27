import { V2TaskPage } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

async function setup(count: number) {
  const server = await TestHttpServer.start();
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const pipeline = { type: "standard", prompt: "a fox", model: number % 2 === 0 ? "SD15.safetensors" : "xl" };
    const answer = await postJson(`${server.url}/v2/tasks`, { pipeline, metadata: { lot: String(number % 3) } });
    ids.push(String(answer.json().id));
  }
  const list = async (query: string, token = "") => {
    const answer = await rawHttp("GET", `${server.url}/v2/tasks?${query}`, { headers: { token } });
    return V2TaskPage.parse(answer.json());
  };
  return { server, ids, list };
}

test("pages follow each other without a gap or a double, newest first", async () => {
  const { server, ids, list } = await setup(7);
  await using _ = server;
  const seen: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: V2TaskPage = await list(`limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`);
    seen.push(...page.tasks.map((task) => task.id));
    cursor = page.next;
  }
  expect(seen).toEqual([...ids].reverse());
});

test("lists are filtered by state, model, metadata and time", async () => {
  const { server, ids, list } = await setup(6);
  await using _ = server;
  server.tasks.settle(ids[0] ?? "", { state: "canceled" });
  server.tasks.settle(ids[1] ?? "", { state: "failed" });
  expect((await list("state=canceled,failed")).tasks.map((task) => task.id)).toEqual([ids[1], ids[0]]);
  expect((await list("state=canceled&state=failed")).tasks).toHaveLength(2);
  expect((await list("model=sd15")).tasks).toHaveLength(3);
  expect((await list("metadata=lot:2")).tasks).toHaveLength(2);
  expect((await list("createdAfter=2030-01-01T00:00:00Z")).tasks).toHaveLength(0);
  expect((await list("", "somebody else")).tasks).toHaveLength(0);
});

test("a cursor of another list is refused", async () => {
  const { server, list } = await setup(4);
  await using _ = server;
  const { next } = await list("limit=2");
  const url = `${server.url}/v2/tasks`;
  const cases = [
    await rawHttp("GET", `${url}?limit=2&cursor=${next}&state=queued`),
    await rawHttp("GET", `${url}?limit=2&cursor=${next}`, { headers: { token: "bob" } }),
    await rawHttp("GET", `${url}?cursor=nonsense`),
  ];
  for (const answer of cases) {
    expect(answer.status).toBe(400);
    expect(answer.json().code).toBe("cursor_invalid");
  }
  expect((await rawHttp("GET", `${url}?limit=1&cursor=${next}`)).status).toBe(200);
});

test.each(["limit=0", "limit=201", "limit=many", "state=done", "colour=red", "metadata=lot", "createdAfter=now"])(
  "the query %s is refused",
  async (query) => {
    await using server = await TestHttpServer.start();
    const answer = await rawHttp("GET", `${server.url}/v2/tasks?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({
      code: "invalid_request",
      errors: [{ field: expect.stringMatching(`^${query.split("=")[0]}`) }],
    });
  },
);

test("a task that did not change is 304 for its ETag", async () => {
  const { server, ids } = await setup(1);
  await using _ = server;
  const url = `${server.url}/v2/tasks/${ids[0]}`;
  const etag = String((await rawHttp("GET", url)).headers.etag);
  expect(etag).toMatch(/^W\/"/);
  const same = await rawHttp("GET", url, { headers: { "if-none-match": `"x", ${etag}` } });
  expect([same.status, same.text, same.headers.etag]).toEqual([304, "", etag]);
  server.tasks.move(ids[0] ?? "", "running");
  expect((await rawHttp("GET", url, { headers: { "if-none-match": etag } })).status).toBe(200);
});
