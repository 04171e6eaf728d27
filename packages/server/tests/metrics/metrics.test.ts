import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { Peer } from "../sessions/support/peer.ts";
import { registerFrame } from "../sessions/support/setup.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";
import { RealServer } from "../support/real-server.ts";

const MONITORING = join(import.meta.dirname, "../../../../docs/monitoring");

/** The queries of the alerts and of the dashboard. */
function queriesOfThePages(): readonly string[] {
  const alerts = readFileSync(join(MONITORING, "alerts.yml"), "utf8").matchAll(/^ +expr: (.*)$/gm);
  const { panels } = JSON.parse(readFileSync(join(MONITORING, "dashboard.json"), "utf8")) as {
    readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
  };
  const shown = panels.flatMap(({ targets }) => targets).map(({ expr }) => expr);
  return [...[...alerts].map(([, expr = ""]) => expr), ...shown];
}

/** The labels of what one side of an `and` gives: those that it is grouped by, or the figure's own. */
function labelsOf(side: string, figures: string): readonly string[] {
  const [aggregation, by = ""] = /^(?:sum|min|max|avg|count)(?: by \(([\w, ]+)\))? ?\(/.exec(side) ?? [];
  if (aggregation !== undefined) return by.match(/\w+/g) ?? [];
  const [name] = /\b(?:genai|nodejs|process)_\w+/.exec(side) ?? [];
  const [, labels = ""] = new RegExp(`^${name}\\{([^}]*)\\} `, "m").exec(figures) ?? [];
  return [...labels.matchAll(/(\w+)=/g)].map(([, label = ""]) => label);
}

async function scrape(server: RealServer, headers: Record<string, string> = {}): Promise<string> {
  const answer = await rawHttp("GET", `${server.url}/metrics`, { headers });
  expect([answer.status, answer.headers["content-type"]]).toEqual([200, expect.stringContaining("text/plain")]);
  return answer.text;
}

test("what users and nodes do is counted, and nothing that they choose becomes a label", async () => {
  await using server = await RealServer.start();
  const mark = "chosen-by-somebody";
  const pipeline = { type: "standard", prompt: mark, model: `${mark}-model` };
  const token = { token: mark };
  const { id } = (await postJson(`${server.url}/v2/tasks`, { pipeline, metadata: { [mark]: mark } }, token)).json();
  const node = await Peer.connect(server.url.replace("http", "ws"));
  node.say({ type: "register", node_id: mark, metadata: { models: [mark], gpu_type: mark } });
  node.say({ type: mark });
  await node.settled();
  await postJson(`${server.url}/v2/tasks/${id}/cancel`, {}, token);
  const text = await scrape(server);
  expect(text).toContain('genai_tasks_submitted_total{pipeline="standard"} 1');
  expect(text).toContain('genai_tasks_settled_total{state="canceled"} 1');
  expect(text).toContain('genai_sessions{protocol="1"} 1');
  expect(text).toMatch(/genai_commit_seconds_count [1-9]/);
  expect(text).toMatch(/genai_decision_seconds_count [1-9]/);
  expect(text).toContain("genai_store_up 1");
  expect(text).not.toContain(mark);
  node.terminate();
});

test("a drained node without a task has busy slots, and no task that runs", async () => {
  await using server = await RealServer.start();
  const node = await Peer.connect(server.url.replace("http", "ws"));
  node.say(registerFrame("n", { slots: 4 }));
  await node.next();
  const admin = { headers: { token: server.adminKey } };
  const running = async () => /genai_tasks\{state="running"\} (\d+)/.exec(await scrape(server))?.[1];
  await rawHttp("POST", `${server.url}/v2/nodes/n/drain`, admin);
  expect(await scrape(server)).toContain('genai_slots{state="busy"} 4');
  expect(await running()).toBe("0");
  await rawHttp("POST", `${server.url}/v2/nodes/n/undrain`, admin);
  await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "standard", prompt: "a fox" } });
  await node.next();
  expect(await running()).toBe("1");
  node.terminate();
});

test("every figure that the dashboard and the alerts ask for is exported, with the labels that they name", async () => {
  await using server = await RealServer.start();
  const text = await scrape(server);
  const exported = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? ""));
  const queries = queriesOfThePages();
  expect(queries.length).toBeGreaterThan(25);
  const asked = queries.flatMap((query) =>
    [...query.matchAll(/\b((?:genai|nodejs|process)_\w+)/g)].map((match) => match[1] ?? ""),
  );
  const missing = asked.filter(
    (name) => !exported.has(name) && !exported.has(name.replace(/_(?:bucket|sum|count)$/, "")),
  );
  expect(missing).toEqual([]);
  const labels = new Set(
    queries.flatMap((query) => [...query.matchAll(/(?:by \(|\{)(\w+)/g)].map((match) => match[1] ?? "")),
  );
  expect([...labels].sort()).toEqual(["job", "le", "outcome", "pipeline", "protocol", "state", "status"]);
});

test('both sides of each "and" have the same labels, without which it never matches', async () => {
  await using server = await RealServer.start();
  const text = await scrape(server);
  let joined = 0;
  for (const query of queriesOfThePages()) {
    const [left = "", how, names = "", right] = query.split(/ and (?:(on|ignoring) ?\(([^)]*)\) )?/);
    if (right === undefined) continue;
    joined += 1;
    const named: readonly string[] = names.match(/\w+/g) ?? [];
    const compared = (side: string) =>
      labelsOf(side, text).filter((label) => (how === undefined ? true : named.includes(label) === (how === "on")));
    expect({ query, labels: compared(left) }).toEqual({ query, labels: compared(right) });
  }
  expect(joined).toBeGreaterThan(1);
});

test("an attempt that is lost with its node is counted as the alert on lost attempts asks for it", async () => {
  await using server = await RealServer.start();
  const node = await Peer.connect(server.url.replace("http", "ws"));
  node.say({ type: "register", node_id: "n", metadata: {} });
  await postJson(`${server.url}/v2/tasks`, { pipeline: { type: "standard", prompt: "a fox" } });
  await node.next();
  node.terminate();
  const alerts = readFileSync(join(MONITORING, "alerts.yml"), "utf8");
  const [asked = ""] = /genai_attempts_closed_total\{[^}]+\}/.exec(alerts) ?? [];
  await until("the lost attempt is counted", async () => (await scrape(server)).includes(`${asked} 1`), 10_000);
});

test("figures are for the token, for administrators, and without a token for this machine alone", async () => {
  await using open = await RealServer.start();
  await scrape(open);
  // Whoever comes by a proxy on this machine is not this machine.
  const forwarded = await rawHttp("GET", `${open.url}/metrics`, { headers: { "x-forwarded-for": "127.0.0.1" } });
  expect(forwarded.status).toBe(401);
  await using closed = await RealServer.start({ METRICS_TOKEN: "figures", ENFORCE_JWT_AUTH: "true" });
  expect((await rawHttp("GET", `${closed.url}/metrics`)).status).toBe(401);
  expect((await rawHttp("GET", `${closed.url}/metrics`, { headers: { token: "wrong" } })).status).toBe(401);
  await scrape(closed, { authorization: "Bearer figures" });
  await scrape(closed, { token: closed.adminKey });
});
