import { expect, test } from "@jest/globals";
import { homeFault } from "../src/node-home.ts";

test.each([
  ["EACCES", "this user has no permission for /x/home"],
  ["EROFS", "/x/home is on a file system that can only be read"],
  ["ENOSPC", "its disk is full"],
  ["EMFILE", "/x/home gives EMFILE"],
])("the system's %s about the home is told as a sentence", (code, why) => {
  const error = Object.assign(new Error("raw"), { code, syscall: "mkdir", path: "/x/home" });
  expect(homeFault("/x/home", error)).toMatchObject({
    message: `The node can't use /x/home as its home (--home or GENAI_NODE_HOME): ${why}.`,
    cause: error,
  });
});

test("what is no error of the system's is told as it is", () => {
  const error = new Error("Another node lives in /x/home.");
  expect(homeFault("/x/home", error)).toBe(error);
});
