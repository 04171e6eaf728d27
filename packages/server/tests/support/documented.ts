import { ANY_TYPE, documentedPath, OPERATIONS, type Operation, openApiDocument } from "@genai/protocol";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const DOCUMENT_ID = "https://genai.test/openapi.json";

/** The document as any reader gets it: through JSON. */
const document = JSON.parse(JSON.stringify(openApiDocument({ version: "0.0.0", serverUrl: "http://localhost" }))) as {
  readonly paths: Record<string, Record<string, DocumentedOperation>>;
};

interface DocumentedOperation {
  readonly responses: Record<
    string,
    { readonly headers?: Record<string, { readonly required?: boolean }>; readonly content?: Record<string, unknown> }
  >;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(document, DOCUMENT_ID);
const validators = new Map<string, ValidateFunction>();

/** Addresses that other parts serve, each with its own suite. */
const ELSEWHERE = /^\/(docs|metrics)(\/|$)/;

/** What a test saw of an answer. */
export interface SeenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Throws where an answer is not as the OpenAPI document describes it: another status, type, header or body. */
export function mustBeDocumented(method: string, url: string, answer: SeenAnswer): void {
  const path = new URL(url).pathname;
  if (method === "OPTIONS" || ELSEWHERE.test(path)) return;
  const operation = operationOf(method, path);
  if (operation === null) {
    // What is not documented is not there.
    if ([400, 404, 405].includes(answer.status)) return;
    throw new Error(`${method} ${path} answers ${answer.status}, but is not documented`);
  }
  const where = `${method} ${path} → ${answer.status}`;
  const responses = document.paths[documentedPath(operation)]?.[method.toLowerCase()]?.responses;
  const response = responses?.[String(answer.status)];
  if (responses === undefined || response === undefined) throw new Error(`${where} is not documented: ${answer.text}`);
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    if (header.required === true && answer.headers[name] === undefined) throw new Error(`${where}: no header ${name}`);
  }
  checkBody(operation, answer, response.content, where);
}

function checkBody(
  operation: Operation,
  answer: SeenAnswer,
  content: Record<string, unknown> | undefined,
  where: string,
): void {
  const type = String(answer.headers["content-type"] ?? "").split(";")[0] ?? "";
  if (content === undefined) {
    if (answer.text !== "") throw new Error(`${where} has a body that is not documented: ${answer.text}`);
    return;
  }
  if (Object.hasOwn(content, ANY_TYPE)) return;
  if (!Object.hasOwn(content, type)) throw new Error(`${where}: ${type || "no type"} is not documented`);
  if (type === "text/event-stream") return;
  const part = [
    documentedPath(operation),
    operation.method.toLowerCase(),
    "responses",
    answer.status,
    "content",
    type,
    "schema",
  ];
  const pointer = `${DOCUMENT_ID}#/paths/${part.map(pointed).join("/")}`;
  const validate = validators.get(pointer) ?? ajv.compile({ $ref: pointer });
  validators.set(pointer, validate);
  if (!validate(JSON.parse(answer.text))) {
    throw new Error(`${where} is not as documented: ${ajv.errorsText(validate.errors)}\n${answer.text}`);
  }
}

/** A JSON pointer's part, as it stands in a URI's fragment. */
function pointed(part: string | number): string {
  return encodeURIComponent(String(part).replaceAll("~", "~0").replaceAll("/", "~1"));
}

const routes = OPERATIONS.map((operation) => ({
  operation,
  // v1's paths hold with and without their last slash, and so does express for all others.
  pattern: new RegExp(
    `^${operation.path
      .replace(/\/$/, "")
      .replace("{key}", ".+")
      .replaceAll(/\{\w+\}/g, "[^/]+")}/?$`,
    "i",
  ),
}));

function operationOf(method: string, path: string): Operation | null {
  return routes.find(({ operation, pattern }) => operation.method === method && pattern.test(path))?.operation ?? null;
}
