import { readFileSync } from "node:fs";
import { documentedPath, OPERATIONS, PROBLEMS, problemsOf } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import type express from "express";
import { mustBeDocumented } from "../support/documented.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { rawHttp } from "../support/raw-http.ts";

interface Layer {
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
  readonly handle: { readonly stack?: readonly Layer[] };
}

/** Every method and path that an app serves. */
function routesOf(stack: readonly Layer[]): readonly string[] {
  return stack.flatMap((layer) => {
    if (layer.route === undefined) return routesOf(layer.handle.stack ?? []);
    const { path, methods } = layer.route;
    return Object.keys(methods)
      .filter((method) => methods[method] === true && method !== "_all")
      .map((method) => `${method.toUpperCase()} ${path}`);
  });
}

test("every route that is served is documented, and every documented one is served", async () => {
  let app: express.Express | null = null;
  await using _ = await TestHttpServer.start({}, (made) => {
    app = made;
  });
  const served = routesOf((app as unknown as { router: { stack: readonly Layer[] } }).router.stack)
    // What is left of v1's addresses is not there, whatever the method.
    .filter((route) => !/ \/docs(\/|$)| \/$| \/v1\/\*/.test(route))
    .map((route) => route.replaceAll(/[:*]\w+/g, "{}"));
  const documented = OPERATIONS.map(
    (operation) => `${operation.method} ${documentedPath(operation).replaceAll(/\{\w+\}/g, "{}")}`,
  );
  expect([...served].sort()).toEqual([...documented].sort());
});

test("operations have ids of their own, and every problem is some operation's or anybody's", () => {
  expect(new Set(OPERATIONS.map((operation) => operation.id)).size).toBe(OPERATIONS.length);
  const named = new Set(OPERATIONS.flatMap(problemsOf));
  // Addresses that do not exist, and methods that an address does not know, are no operation's.
  const nobodys = ["route_not_found", "method_not_allowed"];
  expect([...named, ...nobodys].sort()).toEqual(Object.keys(PROBLEMS).sort());
});

test("every example of the document is accepted by its own schema", () => {
  for (const { body } of OPERATIONS) {
    for (const example of Object.values(body?.examples ?? {}))
      expect(body?.schema.safeParse(example).error).toBeUndefined();
  }
});

test("every problem has its line in the documentation, and every line its problem", async () => {
  await using server = await TestHttpServer.start();
  const page = (await rawHttp("GET", `${server.url}/docs/problems`)).text;
  const onPage = [...page.matchAll(/<tr id="(\w+)">.*?<td>(\d+)<\/td>/g)].map((match) => [match[1], Number(match[2])]);
  expect(Object.fromEntries(onPage)).toEqual(
    Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])),
  );
  const text = readFileSync(new URL("../../../../docs/problems.md", import.meta.url), "utf8");
  const inText = [...text.matchAll(/^\| `(\w+)` +\| (\d+) +\| (.+?) *\|$/gm)].map((match) => [
    match[1],
    match[2],
    match[3],
  ]);
  expect(inText).toEqual(
    Object.entries(PROBLEMS).map(([code, { status, title }]) => [code, String(status), title.replaceAll("|", "\\|")]),
  );
});

test("an answer that is not as the document says is told", () => {
  const url = "http://localhost/v2/usage";
  const headers = { "content-type": "application/json; charset=utf-8" };
  const usage = {
    userId: "ann",
    tasks: { queued: 0, running: 0, succeeded: 0, failed: 0, canceled: 0 },
    gpuMs: 0,
    cost: 0,
  };
  const text = JSON.stringify(usage);
  expect(() => mustBeDocumented("GET", url, { status: 200, headers, text })).not.toThrow();
  const wrong = [
    { status: 202, headers, text },
    { status: 200, headers: { "content-type": "text/html" }, text },
    { status: 200, headers, text: JSON.stringify({ ...usage, cost: "0" }) },
    { status: 200, headers, text: JSON.stringify({ ...usage, secret: 1 }) },
    { status: 404, headers, text: JSON.stringify({ error: "none" }) },
  ];
  for (const answer of wrong) expect(() => mustBeDocumented("GET", url, answer)).toThrow();
  expect(() => mustBeDocumented("GET", "http://localhost/v2/secrets", { status: 200, headers, text })).toThrow();
});
