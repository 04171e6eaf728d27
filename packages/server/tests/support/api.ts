import supertest, { type Response, type Test } from "supertest";
import { mustBeDocumented } from "./documented.ts";

/** Plain HTTP calls of a server by supertest. Each answer must be as the OpenAPI document says. */
export function api(url: string): Record<"get" | "post" | "delete" | "options", (path: string) => Test> {
  const agent = supertest(url);
  const call = (method: "get" | "post" | "delete" | "options") => (path: string) =>
    agent[method](path).expect((response: Response) => {
      const { status, headers, text } = response;
      mustBeDocumented(method.toUpperCase(), `${url}${path}`, { status, headers, text: text ?? "" });
    });
  return { get: call("get"), post: call("post"), delete: call("delete"), options: call("options") };
}
