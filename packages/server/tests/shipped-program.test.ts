import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, Program, until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { S3_CREDENTIALS, S3Server } from "./artifacts/support/s3-server.ts";
import { TestPostgres } from "./storage/support/test-postgres.ts";
import { api } from "./support/api.ts";
import { LegacyNode } from "./support/legacy-node.ts";

// The build puts the program together from parts, of which a start loads only what its configuration asks for: here, all of them.

/** An issuer of tokens and a sink of webhooks. */
async function world() {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "RS256" }] });
  const delivered: string[] = [];
  const server = createServer(async (request, response) => {
    if (request.url === "/jwks.json") return void response.end(keys);
    let body = "";
    for await (const chunk of request) body += chunk;
    delivered.push(body);
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    delivered,
    token: await new SignJWT({}).setProtectedHeader({ alg: "RS256", kid: "k1" }).setSubject("ann").sign(privateKey),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("the program as it is shipped has all its parts: PostgreSQL, S3, keys of an issuer, webhooks and the page of its API", async () => {
  const postgres = await TestPostgres.start();
  const home = mkdtempSync(join(tmpdir(), "genai-shipped-"));
  try {
    await using s3 = await S3Server.start();
    await using outside = await world();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    await using server = new Program("server", {
      env: {
        HTTP_PORT: String(port),
        GENAI_HOME: home,
        DATABASE_URL: await postgres.database(),
        ARTIFACT_STORE: "s3://pictures/genai",
        S3_ENDPOINT: s3.endpoint,
        S3_PATH_STYLE: "true",
        ...S3_CREDENTIALS,
        JWKS_URL: `${outside.url}/jwks.json`,
        EGRESS_ALLOW: "127.0.0.0/8",
      },
    });
    await until("the server listens", () => {
      if (server.hasEnded) throw new Error(server.output);
      return server.output.includes('"listening"');
    });
    await using node = await LegacyNode.join(url, "node-1");
    node.answerAll();
    const { body } = await api(url)
      .post("/v2/tasks")
      .set("authorization", `Bearer ${outside.token}`)
      .set("prefer", "wait=30")
      .send({ pipeline: { type: "standard", prompt: "a fox" }, webhook: `${outside.url}/sink` })
      .expect(201);
    expect(body.state).toBe("succeeded");
    const picture = await fetch(body.result.artifacts[0].url);
    expect([picture.status, picture.headers.get("content-type")]).toEqual([200, "image/png"]);
    await picture.arrayBuffer();
    await until("the webhook came", () => outside.delivered.some((text) => text.includes(body.id)));
    expect((await fetch(`${url}/docs/`)).status).toBe(200);
    expect((await fetch(`${url}/docs/assets/swagger-ui.css`)).status).toBe(200);
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  } finally {
    rmSync(home, { recursive: true });
    await postgres.stop();
  }
}, 120_000);
