import { createHash } from "node:crypto";
import { OPERATIONS, type Operation } from "@genai/protocol";
import { afterAll, expect, test } from "@jest/globals";
import { SignJWT } from "jose";
import { EventReader } from "../support/event-reader.ts";
import { ADMIN_KEY, JWT_SECRET, TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

type Who = "nobody" | "stranger" | "node" | "scaler" | "owner" | "other" | "admin";
const EVERYBODY: readonly Who[] = ["nobody", "stranger", "node", "scaler", "owner", "other", "admin"];

/** Enough of a picture to be told for one. */
/** The head of a picture of one pixel. */
const PNG = Buffer.concat([
  Buffer.from("89504e470d0a1a0a0000000d494844520000000100000001", "hex"),
  Buffer.alloc(20, 1),
]);
const UPLOAD_ID = createHash("sha256").update(PNG).digest("hex");

/** What access control says, before anything else is looked at. `through` is any answer that is none of the others. */
type Verdict = "through" | "unauthenticated" | "forbidden" | "not found";

/** The whole policy. A path with a task's or an upload's id in it is its owner's; a task, in v2, is an administrator's too. */
function expected(operation: Operation, who: Who): Verdict {
  if (operation.access === "anyone") return "through";
  // Its address is the permission, and this one is signed by nobody.
  if (operation.access === "signed") return "forbidden";
  // Its own token opens it, and an administrator's.
  if (operation.access === "operator") return who === "admin" ? "through" : "unauthenticated";
  if (!["owner", "other", "admin"].includes(who)) return "unauthenticated";
  if (operation.access === "admin") return who === "admin" ? "through" : "forbidden";
  if (!/\{(task|upload)/.test(operation.path) || who === "owner") return "through";
  if (operation.path.startsWith("/v1/")) return "forbidden";
  return who === "admin" && /\{task/.test(operation.path) ? "through" : "not found";
}

const CODES: Readonly<Record<number, Verdict>> = { 401: "unauthenticated", 403: "forbidden", 404: "not found" };

const SHORT: Readonly<Record<Verdict, string>> = {
  through: "yes",
  unauthenticated: "401",
  forbidden: "403",
  "not found": "404",
};
const matrix: string[] = [];
afterAll(() => {
  const head = EVERYBODY.map((who) => who.padEnd(9)).join(" ");
  console.info(`check 32: routes and who gets in\n${" ".repeat(51)} ${head}\n${matrix.join("\n")}`);
});

test.each(OPERATIONS.map((operation) => [operation.id, operation] as const))(
  "check 32: %s is open to those that the table says, and to nobody else",
  async (_id, operation) => {
    const row: Verdict[] = [];
    for (const who of EVERYBODY) {
      await using server = await TestHttpServer.start({ enforced: true, settings: { syncTimeoutMs: 10 } });
      server.fleet.add({ providerId: "n" });
      const tokens = await tokensOf();
      const create = (token: string) =>
        postJson(`${server.url}/v2/tasks`, { pipeline: { type: "standard", prompt: "a" } }, { token });
      const id = String((await create(tokens.owner)).json().id);
      await create(tokens.other);
      await create(tokens.admin);
      await rawHttp("POST", `${server.url}/v2/uploads`, {
        headers: { token: tokens.owner, "content-type": "image/png" },
        body: PNG,
      });
      const things = await keysOf(server);
      if (/retry|^deleteTask/.test(operation.id)) server.tasks.settle(id, { state: "failed" });

      const token = tokens[who];
      const answer = await call(
        server.url,
        operation,
        { ...things, taskId: id },
        token === "" ? {} : { authorization: `Bearer ${token}` },
      );
      const verdict = CODES[answer.status] ?? "through";
      expect([who, verdict]).toEqual([who, expected(operation, who)]);
      row.push(verdict);
    }
    matrix.push(
      `${operation.method.padEnd(6)} ${operation.path.padEnd(44)} ${row.map((v) => SHORT[v].padEnd(9)).join(" ")}`,
    );
  },
);

/** An API key, a node `n` with a key of its own, and an enrolment token for another. */
async function keysOf({ credentials }: TestHttpServer): Promise<Omit<Things, "taskId">> {
  const details = { name: "k", role: "user", weight: null, queuedMax: null, runningMax: null } as const;
  const { key } = await credentials.createApiKey("eve", details, null);
  const enrolment = { nodeId: null, uses: 2, expiresAtMs: Date.now() + 60_000 };
  const { token } = await credentials.createEnrolment(enrolment);
  await credentials.enrol(token, "n");
  return { keyId: key.keyId, enrolmentToken: token };
}

interface Things {
  readonly taskId: string;
  readonly keyId: string;
  readonly enrolmentToken: string;
}

async function tokensOf(): Promise<Readonly<Record<Who, string>>> {
  const jwt = (subject: string, secret: string) =>
    new SignJWT({}).setProtectedHeader({ alg: "HS256" }).setSubject(subject).sign(new TextEncoder().encode(secret));
  return {
    nobody: "",
    stranger: await jwt("ann", "another secret of more than thirty-two bytes"),
    // Their own tokens open other doors.
    node: "the node token",
    scaler: "the scaler token",
    owner: await jwt("ann", JWT_SECRET),
    other: await jwt("bob", JWT_SECRET),
    admin: ADMIN_KEY,
  };
}

/** Calls an operation about a task and the node `n`, with an example of its body. */
async function call(
  server: string,
  operation: Operation,
  { taskId, keyId, enrolmentToken }: Things,
  headers: Record<string, string>,
): Promise<{ readonly status: number }> {
  const path = operation.path
    .replace(/\{task\w*\}/, taskId)
    .replace("{nodeId}", "n")
    .replace("{keyId}", keyId)
    .replace("{uploadId}", UPLOAD_ID);
  const url = `${server}${path}`;
  if (/events$/i.test(operation.id)) {
    const reader = await EventReader.open(url, headers);
    reader.cut();
    return reader;
  }
  const example =
    operation.id === "enrolNode"
      ? { token: enrolmentToken, nodeId: "another" }
      : Object.values(operation.body?.examples ?? {})[0];
  return example === undefined
    ? await rawHttp(operation.method, url, { headers })
    : await rawHttp(operation.method, url, {
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify(example),
      });
}
