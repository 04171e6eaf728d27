import type { Operation, OperationRequest, OperationResult } from "@genai/protocol";
import type { Request, RequestHandler, Response, Router } from "express";
import type { z } from "zod";
import type { Caller } from "../../identity/caller.ts";
import type { BodyBudget } from "../body-budget.ts";
import { headerToken } from "../caller-of.ts";
import { FIELDS_MAX, fieldErrors, fieldSentence } from "../field-errors.ts";
import type { HttpAppOptions } from "../http-options.ts";
import { HttpRefusal } from "../http-refusal.ts";
import { issueWords } from "../issue-words.ts";
import { type Files, readMultipartBody } from "../multipart-body.ts";
import { readJsonBody } from "../request-body.ts";
import type { RequestLimits } from "../request-limits.ts";
import { unknownKeyErrors } from "./unknown-keys.ts";

/** A request that passed the edge: its caller known, its parts parsed. */
interface Call<Op extends Operation> extends OperationRequest<Op> {
  /** Those of a multipart body; none in any other. */
  readonly files: Files;
  readonly caller: Caller;
  readonly request: Request;
  readonly response: Response;
}

/** Answers a call; null where it has written to the response itself. */
export type OperationHandler<Op extends Operation> = (call: Call<Op>) => Promise<OperationResult<Op> | null>;

/** A handler for every operation of a table: one that is missing does not compile. */
export type OperationHandlers<Table extends Readonly<Record<string, Operation>>> = {
  readonly [Id in keyof Table]: OperationHandler<Table[Id]>;
};

/** Puts a table of operations on a router, by its own paths: what is documented is what is served. */
export function mountOperations<Table extends Readonly<Record<string, Operation>>>(
  router: Router,
  table: Table,
  handlers: OperationHandlers<Table>,
  context: { readonly options: HttpAppOptions; readonly limits: RequestLimits },
): void {
  const methods = new Map<string, Set<string>>();
  for (const [id, operation] of Object.entries(table)) {
    const path = operation.path.replaceAll(/\{(\w+)\}/g, ":$1");
    const handler = handlers[id] as OperationHandler<Operation> | undefined;
    if (handler === undefined) throw new Error(`no handler for ${id}`);
    const method = operation.method.toLowerCase() as "get" | "post" | "put" | "delete";
    router[method](path, serve(operation, handler, context));
    methods.set(path, (methods.get(path) ?? new Set()).add(operation.method));
  }
  for (const [path, allowed] of methods) {
    router.all(path, () => {
      throw new HttpRefusal("method_not_allowed", { headers: { Allow: [...allowed].join(", ") } });
    });
  }
}

const ANYONE: Caller = { userId: "", role: "user", anonymous: true };

function serve(
  operation: Operation,
  handler: OperationHandler<Operation>,
  { options, limits }: { readonly options: HttpAppOptions; readonly limits: RequestLimits },
): RequestHandler {
  return async (request, response) => {
    const caller =
      operation.access === "anyone"
        ? ANYONE
        : await limits.callerOf(options.authenticate, headerToken(request), request);
    if (operation.access === "admin" && caller.role !== "admin") {
      throw new HttpRefusal("forbidden", { detail: "only an administrator may do this" });
    }
    if (operation.access === "anyone") limits.countAddress(operation.counts, request);
    else {
      limits.count(operation.counts, caller, request);
      response.set(limits.headers(operation.counts, caller, request));
    }
    const parts = {
      params: parsed(operation.params, request.params, "address"),
      query: parsed(operation.query, request.query, "query"),
      headers: parsed(operation.headers, request.headers, "header"),
    };
    if (operation.rawBody !== undefined) mustBeOf(operation.rawBody, request);
    const { body, files } =
      operation.body === undefined ? NO_BODY : await readParsed(operation.body, request, options.bodies);
    const result = await handler({ ...parts, body, files, caller, request, response } as Call<Operation>);
    if (result === null) return;
    response.status(result.status).set(result.headers ?? {});
    if (result.body === null) response.end();
    else response.json(result.body);
  };
}

const NO_BODY = { body: undefined, files: new Map<string, Buffer>() } as const;

async function readParsed(
  { schema, multipartName }: NonNullable<Operation["body"]>,
  request: Request,
  bodies: BodyBudget,
): Promise<{ readonly body: unknown; readonly files: Files }> {
  if (multipartName !== undefined && request.is("multipart/form-data") === "multipart/form-data") {
    const { value, files } = await readMultipartBody(request, bodies, multipartName);
    return { body: parsed(schema, value, "body"), files };
  }
  mustBeOf(["application/json", ...(multipartName === undefined ? [] : ["multipart/form-data"])], request);
  return { ...NO_BODY, body: parsed(schema, await readJsonBody(request, bodies), "body") };
}

/** A request without any body passes: what is missing in it is said by its fields. */
function mustBeOf(contentTypes: readonly string[], request: Request): void {
  if (request.is([...contentTypes]) !== false) return;
  throw new HttpRefusal("unsupported_media_type", {
    detail: `the Content-Type must be ${contentTypes.join(" or ")}, not ${JSON.stringify(request.headers["content-type"] ?? "")}`,
  });
}

type Place = "address" | "query" | "header" | "body";

function parsed(schema: z.ZodType | undefined, value: unknown, place: Place): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value, { error: issueWords });
  if (result.success) return result.data;
  const fields = [...unknownKeyErrors(schema, result.error), ...fieldErrors(result.error)].slice(0, FIELDS_MAX);
  throw new HttpRefusal("invalid_request", {
    detail: `${place === "body" ? "" : `${place}: `}${fieldSentence(fields)}`,
    fields,
  });
}
