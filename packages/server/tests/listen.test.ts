import { createServer } from "node:http";
import { expect, test } from "@jest/globals";
import { isAddressRefused, listen } from "../src/listen.ts";

test("a port that is taken is an address refused, and a file that may not be written is none", async () => {
  const first = await listen(createServer(), 0, "127.0.0.1");
  try {
    const second = listen(createServer(), first.port, "127.0.0.1");
    expect(await second.catch(isAddressRefused)).toBe(true);
  } finally {
    first.close();
  }
  const forbidden = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES", syscall: "listen" });
  expect(isAddressRefused(forbidden)).toBe(true);
  expect(isAddressRefused({ ...forbidden, syscall: "mkdir" })).toBe(false);
  expect(isAddressRefused(new Error("a bug"))).toBe(false);
});

test("a host name that leads nowhere is an address refused", async () => {
  const listening = listen(createServer(), 0, "nonsense.invalid");
  expect(await listening.catch(isAddressRefused)).toBe(true);
});
