import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scalerService } from "@genai/protocol/scaler";
import { expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "../../..");

/** Text of every file below a folder, by its path in it. */
function filesOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length), readFileSync(path, "utf8")]));
}

test("the committed types are what scaler.proto generates", () => {
  const folder = mkdtempSync(join(tmpdir(), "scaler-types-"));
  try {
    execFileSync(process.execPath, [join(root, "protos/generate.js"), folder]);
    expect(filesOf(join(root, "packages/protocol/src/generated/scaler"))).toEqual(filesOf(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the calls of the programs in the field keep their names", () => {
  expect(scalerService.CreateNode.path).toBe("/scaler_grpc.Scaler/CreateNode");
  expect(scalerService.DeleteNode.path).toBe("/scaler_grpc.Scaler/DeleteNode");
  expect(scalerService.ListNodes.path).toBe("/scaler_grpc.Scaler/ListNodes");
});

test("requests and answers of the field keep their field numbers, byte for byte", () => {
  const request = { platform: "local", backend: "ws://h", image: "i", provScript: "p", vastaiIid: 7 };
  // 0a, 12, 1a, 22: fields 1 to 4, text of a length; 28: field 5, a number.
  const requestHex = ["0a05", hex("local"), "1206", hex("ws://h"), "1a01", hex("i"), "2201", hex("p"), "2807"].join("");
  expect(scalerService.CreateNode.requestSerialize(request).toString("hex")).toBe(requestHex);
  expect(scalerService.CreateNode.responseSerialize({ nodeId: "ab" }).toString("hex")).toBe(`0a02${hex("ab")}`);
  expect(scalerService.DeleteNode.requestSerialize({ nodeId: "ab" }).toString("hex")).toBe(`0a02${hex("ab")}`);
  const node = { nodeId: "n", platform: "local", backend: "b", image: "i" };
  const nodeHex = ["0a01", hex("n"), "1205", hex("local"), "1a01", hex("b"), "2201", hex("i")].join("");
  expect(scalerService.ListNodes.responseSerialize({ nodes: [node] }).toString("hex")).toBe(`0a10${nodeHex}`);
});

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}
