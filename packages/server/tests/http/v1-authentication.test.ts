import { expect, test } from "@jest/globals";
import { SignJWT, UnsecuredJWT } from "jose";
import { JWT_SECRET, TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const FOX = { standardPipeline: { prompt: "a fox" } };
const SECRET = new TextEncoder().encode(JWT_SECRET);

function jwt(subject: string): SignJWT {
  return new SignJWT({}).setProtectedHeader({ alg: "HS256" }).setSubject(subject);
}

test("the token is read from Authorization, else the header token, else the body; the caller is its sub", async () => {
  await using server = await TestHttpServer.start({ enforced: true });
  const [ann, bob, carol] = await Promise.all(["ann", "bob", "carol"].map((user) => jwt(user).sign(SECRET)));
  const url = `${server.url}/v1/tasks/`;
  await postJson(url, { ...FOX, token: carol }, { authorization: `Bearer ${ann}`, token: bob ?? "" });
  await postJson(url, { ...FOX, token: carol }, { token: bob ?? "" });
  await postJson(url, { ...FOX, token: carol });
  expect(server.tasks.submitted.map((task) => task.userId)).toEqual(["ann", "bob", "carol"]);
});

test("a token without exp and with an aud passes", async () => {
  await using server = await TestHttpServer.start({ enforced: true });
  const token = await jwt("ann").setAudience("authenticated").sign(SECRET);
  expect((await postJson(`${server.url}/v1/tasks/`, FOX, { token })).status).toBe(201);
});

test("an expired, unsigned, wrongly signed, empty or missing token is 401 on every call that needs one", async () => {
  await using server = await TestHttpServer.start({ enforced: true });
  const bad = {
    expired: await jwt("ann").setExpirationTime(1_000_000).sign(SECRET),
    early: await jwt("ann")
      .setNotBefore(Math.floor(Date.now() / 1_000) + 3_600)
      .sign(SECRET),
    unsigned: new UnsecuredJWT({}).setSubject("ann").encode(),
    wronglySigned: await jwt("ann").sign(new TextEncoder().encode("another secret of more than 32 bytes")),
    otherAlgorithm: await new SignJWT({}).setProtectedHeader({ alg: "HS512" }).setSubject("ann").sign(SECRET),
    withoutSubject: await new SignJWT({}).setProtectedHeader({ alg: "HS256" }).sign(SECRET),
    emptySubject: await jwt("").sign(SECRET),
    garbage: "a.b.c",
    word: "token",
    empty: "",
  };
  const url = server.url;
  for (const token of Object.values(bad)) {
    const answers = [
      await postJson(`${url}/v1/tasks/`, { ...FOX, token }),
      await postJson(`${url}/v1/images/generation/`, FOX, { token }),
      await postJson(`${url}/v1/inference/comfyPipeline`, { pipelineData: "{}" }, { authorization: `Bearer ${token}` }),
      await rawHttp("GET", `${url}/v1/tasks/`, { headers: { token } }),
      await rawHttp("GET", `${url}/v1/tasks/01890000-0000-7000-8000-000000000001`, { headers: { token } }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(answer.json()).toEqual({ ok: false, error: expect.stringContaining("token") });
      if (token !== "" && token !== "token") expect(answer.text).not.toContain(token);
    }
  }
  expect((await rawHttp("GET", `${url}/v1/tasks/`)).status).toBe(401);
  expect(server.tasks.submitted).toEqual([]);
});

test("where authentication is off the token names its caller, hashed, and no token is the shared anonymous one", async () => {
  await using server = await TestHttpServer.start({ enforced: false });
  const url = `${server.url}/v1/tasks/`;
  for (const token of ["ann", "ann", "", null]) await postJson(url, { ...FOX, token });
  await postJson(url, FOX);
  const users = server.tasks.submitted.map((task) => task.userId);
  expect(users[0]).toMatch(/^t_[0-9a-f]{64}$/);
  expect(users).toEqual([users[0], users[0], "anonymous", "anonymous", "anonymous"]);
});
