import { mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import express from "express";
import { ConfigurationError, readConfiguration } from "../../src/configuration/configuration.ts";
import { readHomeSecrets } from "../../src/configuration/home-secrets.ts";

const PROXIES = "must list addresses, ranges such as 10.0.0.0/24, or the words loopback, linklocal, uniquelocal";
const HOSTS = "must list host names, addresses, or ranges such as 10.0.0.0/24";

test("an empty environment gives the documented defaults", () => {
  const configuration = readConfiguration({});
  expect(configuration).toMatchObject({
    HTTP_PORT: 8080,
    HOST: null,
    GENAI_HOME: "./.genai",
    ENFORCE_JWT_AUTH: true,
    JWT_SECRET: null,
    WS_TASK_TIMEOUT: 60_000,
    MAX_BODY_BYTES: 32_000_000,
    MAX_FRAME_BYTES: 64 * 1024 * 1024,
    RATE_LIMIT: 600,
    TASK_TTL: 30 * 86_400_000,
    DEFAULT_MODEL: "",
  });
});

test.each([
  ["30", 30_000],
  ["1.5s", 1_500],
  ["500ms", 500],
  ["15m", 900_000],
  ["1d", 86_400_000],
])("a duration of %s is %i ms", (text, ms) => {
  expect(readConfiguration({ WS_TASK_TIMEOUT: text }).WS_TASK_TIMEOUT).toBe(ms);
});

test.each([
  ["HTTP_PORT", "http", "must be a whole number from 0 to 65535"],
  ["HTTP_PORT", "70000", "must be a whole number from 0 to 65535"],
  ["WS_TASK_TIMEOUT", "soon", "must be a duration from 0.001 s to 86400 s, such as 30, 30s, 15m or 7d"],
  ["MAX_BODY_BYTES", "-1", "must be a size from 1024 to 1073741824 bytes, such as 32MB or 64MiB"],
  ["ENFORCE_JWT_AUTH", "maybe", "must be true or false"],
  ["RATE_LIMIT", "0", "must be a whole number of requests a minute from 1, or off"],
  ["PUBLIC_URL", "ftp://example.com", "must be an http:// or https:// URL"],
  ["PUBLIC_URL", "example.com", "must be an http:// or https:// URL"],
  ["PUBLIC_URL", "https://example.com/genai?a=b", "must have no query and no fragment: paths are put behind it"],
  ["PUBLIC_URL", "https://example.com/#top", "must have no query and no fragment: paths are put behind it"],
  ["TRUST_PROXY", "banana/99", `${PROXIES}; "banana/99" is none of them`],
  ["TRUST_PROXY", "loopback,1", `${PROXIES}; "1" is none of them`],
  ["TRUST_PROXY", "0.0.0.0/0", `${PROXIES}; "0.0.0.0/0" is none of them`],
  ["TRUST_PROXY", "10.0.0.0/255.0.255.0", `${PROXIES}; "10.0.0.0/255.0.255.0" is none of them`],
  ["EGRESS_ALLOW", "hooks.internal,foo bar", `${HOSTS}; "foo bar" is none of them`],
  ["EGRESS_ALLOW", "http://127.0.0.1:9099", `${HOSTS}; "http://127.0.0.1:9099" is none of them`],
  ["EGRESS_ALLOW", "300.1.1.1/99", `${HOSTS}; "300.1.1.1/99" is none of them`],
  ["EGRESS_ALLOW", "300.1.1.1", `${HOSTS}; "300.1.1.1" is none of them`],
  ["EGRESS_ALLOW", "hooks.internal:9000", `${HOSTS}; "hooks.internal:9000" is none of them`],
  ["EGRESS_ALLOW", "*.internal", `${HOSTS}; "*.internal" is none of them`],
  ["JWKS_URL", "keys", "must be an http:// or https:// URL"],
  ["LOG_LEVEL", "loud", "must be one of fatal, error, warn, info, debug, trace, silent"],
  ["DEFAULT_MODEL", "m".repeat(513), "must have 512 characters at most"],
])("a wrong %s stops the start with a sentence that names it and its value %s", (name, value, why) => {
  expect(() => readConfiguration({ [name]: value })).toThrow(ConfigurationError);
  expect(() => readConfiguration({ [name]: value })).toThrow(`${name} is "${value}", but it ${why}.`);
});

test("what may stand in lists of proxies and hosts is taken as it is, and express takes every proxy", () => {
  const proxies = ["loopback", "linklocal", "uniquelocal", "10.0.0.2", "10.0.0.0/24", "10.0.0.0/255.0.0.0", "fd00::/8"];
  expect(readConfiguration({ TRUST_PROXY: proxies.join(", ") }).TRUST_PROXY).toEqual(proxies);
  expect(() => express().set("trust proxy", proxies)).not.toThrow();
  const hosts = ["hooks.internal", "localhost", "my_service", "xn--bcher-kva.example.", "127.0.0.1", "::1", "fd00::/8"];
  expect(readConfiguration({ EGRESS_ALLOW: hosts.join(",") }).EGRESS_ALLOW).toEqual(hosts);
});

test("an address to listen on may stand in brackets", () => {
  expect(readConfiguration({ HOST: "[::1]" }).HOST).toBe("::1");
  expect(readConfiguration({ HOST: "::1" }).HOST).toBe("::1");
  // An empty address would be every network.
  expect(readConfiguration({ HOST: "[]" }).HOST).toBe("[]");
});

test("a DATABASE_URL of something else stops the start, and its password is not shown", () => {
  const sentence = "DATABASE_URL is (secret), but it must begin with postgres:// or postgresql://.";
  for (const value of ["mysql://ann:password@host/database", "ann:password@host/database", "tasks.db"])
    expect(() => readConfiguration({ DATABASE_URL: value })).toThrow(new ConfigurationError(sentence));
  for (const value of ["postgres://ann:password@host/database", "postgresql:///genai?host=/run/postgresql"])
    expect(readConfiguration({ DATABASE_URL: value }).DATABASE_URL).toBe(value);
});

test("a rate limit can be switched off", () => {
  expect(readConfiguration({ RATE_LIMIT: "off" }).RATE_LIMIT).toBeNull();
});

test("Supabase's database needs its URL", () => {
  expect(() => readConfiguration({ USE_SUPABASE: "true" })).toThrow("DATABASE_URL");
});

test("a secret can come from a file, is refused from two places, and is not shown when wrong", () => {
  const folder = mkdtempSync(join(tmpdir(), "genai-configuration-"));
  writeFileSync(join(folder, "secret"), "from-a-file\n");
  const file = join(folder, "secret");
  expect(readConfiguration({ NODE_TOKEN_FILE: file }).NODE_TOKEN).toBe("from-a-file");
  expect(() => readConfiguration({ NODE_TOKEN_FILE: file, NODE_TOKEN: "other" })).toThrow("both set");
  expect(() => readConfiguration({ NODE_TOKEN_FILE: join(folder, "none") })).toThrow("can't be read");
  expect(() => readConfiguration({ WEBHOOK_SECRET: "short" })).toThrow(
    new ConfigurationError("WEBHOOK_SECRET is (secret), but it must have 32 characters or more."),
  );
});

test("a home gets its secrets at the first start, readable by their owner only, and keeps them", () => {
  const home = join(mkdtempSync(join(tmpdir(), "genai-home-")), "home");
  const first = readHomeSecrets(home);
  expect(new Set(Object.values(first)).size).toBe(4);
  expect(statSync(join(home, "admin.key")).mode & 0o777).toBe(0o600);
  expect(readHomeSecrets(home)).toEqual(first);
  writeFileSync(join(home, "jwt.secret"), "short");
  expect(() => readHomeSecrets(home)).toThrow("too short");
});
