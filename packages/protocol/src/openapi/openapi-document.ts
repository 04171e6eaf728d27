import { z } from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from "zod-openapi";
import { V1_OPERATIONS, V1Refusal } from "../v1/operations.ts";
import { V2_OPERATIONS } from "../v2/operations.ts";
import { Problem } from "../v2/problem.ts";
import { PROBLEMS, type ProblemCode } from "../v2/problem-codes.ts";
import { PreviewEvent, ProgressEvent, StateEvent } from "../v2/task-events.ts";
import { ARTIFACT_OPERATIONS } from "./artifact-operations.ts";
import type { Operation } from "./operation.ts";
import { SERVER_OPERATIONS } from "./server-operations.ts";

/** Any route may be refused in these ways. */
const EVERYWHERE: readonly ProblemCode[] = ["invalid_request", "internal", "unavailable"];
/** Routes that know their caller. */
const FOR_CALLERS: readonly ProblemCode[] = ["unauthenticated", "rate_limited"];

/** Routes whose address is the permission. */
const BY_SIGNATURE: readonly ProblemCode[] = ["signature_invalid", "url_expired"];

/** Every problem that an operation may answer with. */
export function problemsOf(operation: Operation): readonly ProblemCode[] {
  return [
    ...EVERYWHERE,
    ...(operation.access === "signed" ? BY_SIGNATURE : []),
    ...(operation.access === "anyone" || operation.access === "signed" ? [] : FOR_CALLERS),
    ...(operation.access === "admin" ? (["forbidden"] as const) : []),
    ...operation.problems,
  ];
}

/** Every operation that is documented. */
export const OPERATIONS: readonly Operation[] = [
  V2_OPERATIONS,
  ARTIFACT_OPERATIONS,
  V1_OPERATIONS,
  SERVER_OPERATIONS,
].flatMap((table: Readonly<Record<string, Operation>>) => Object.values(table));

/** An operation's path in the document. v1's hold with and without their last slash; linters want them without. */
export function documentedPath({ path }: Pick<Operation, "path">): string {
  return path.replace(/(.)\/$/, "$1");
}

/** The OpenAPI 3.1 document of the API. */
export function openApiDocument(options: {
  readonly version: string;
  readonly serverUrl: string;
}): ReturnType<typeof createDocument> {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const operation of OPERATIONS) {
    const path = documentedPath(operation);
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: described(operation) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: {
      title: "genai",
      version: options.version,
      description: "One API in front of a fleet of GPU machines: a prompt or a ComfyUI graph in, pictures out.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: options.serverUrl }],
    security: [{ bearer: [] }, { tokenHeader: [] }],
    tags: [
      { name: "tasks", description: "What is to be made, and what became of it." },
      { name: "uploads", description: "Input images, by their content." },
      { name: "webhooks", description: "What was told of ended tasks, and what was not heard." },
      { name: "access", description: "API keys, and the keys of nodes." },
      { name: "fleet", description: "The nodes, and what they offer." },
      { name: "account", description: "What the caller has used." },
      { name: "v1", description: "The API that existing clients speak. Paths hold with and without their last slash." },
      {
        name: "artifacts",
        description: "Pictures that were made, by URLs that the server signs. Nodes bring them, clients fetch them.",
      },
      { name: "server", description: "The server itself." },
    ],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "A JWT or an API key." },
        tokenHeader: { type: "apiKey", in: "header", name: "token", description: "The same, as v1's clients send it." },
      },
      schemas: { StateEvent, ProgressEvent, PreviewEvent },
    },
  });
}

function described(operation: Operation): ZodOpenApiOperationObject {
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    ...(operation.access === "anyone" || operation.access === "signed" ? { security: [] } : {}),
    requestParams: {
      ...(operation.params === undefined ? {} : { path: operation.params }),
      ...(operation.query === undefined ? {} : { query: operation.query }),
      ...(operation.headers === undefined ? {} : { header: operation.headers }),
    },
    ...(operation.body === undefined ? {} : { requestBody: bodyOf(operation.body) }),
    ...(operation.rawBody === undefined ? {} : { requestBody: bytesOf(operation.rawBody) }),
    responses: { ...problemAnswersOf(operation), ...answersOf(operation) },
  };
}

function bodyOf(body: NonNullable<Operation["body"]>): NonNullable<ZodOpenApiOperationObject["requestBody"]> {
  const examples = Object.entries(body.examples ?? {}).map(([name, value]) => [name, { value }] as const);
  return {
    required: true,
    content: {
      "application/json": {
        schema: body.schema,
        ...(examples.length === 0 ? {} : { examples: Object.fromEntries(examples) }),
      },
      ...(body.multipartName === undefined ? {} : { "multipart/form-data": formOf(body.schema, body.multipartName) }),
    },
  };
}

/** A form whose one part is the JSON and whose other parts are files. */
function formOf(schema: z.ZodType, name: string) {
  return {
    schema: z.object({ [name]: schema }).catchall(z.string().meta({ override: { type: "string", format: "binary" } })),
    encoding: { [name]: { contentType: "application/json" } },
  };
}

function bytesOf(contentTypes: readonly string[]): NonNullable<ZodOpenApiOperationObject["requestBody"]> {
  const bytes = { schema: { type: "string", format: "binary" } } as const;
  return { required: true, content: Object.fromEntries(contentTypes.map((type) => [type, bytes])) };
}

function answersOf(operation: Operation): ZodOpenApiResponsesObject {
  const answers: ZodOpenApiResponsesObject = {};
  for (const [status, answer] of Object.entries(operation.answers)) {
    answers[status as "200"] = {
      description: answer.description,
      ...(answer.headers === undefined ? {} : { headers: answer.headers }),
      ...(answer.schema === null
        ? {}
        : {
            content: {
              [answer.contentType ?? "application/json"]: {
                schema: answer.schema,
                ...(answer.example === undefined ? {} : { example: answer.example }),
              },
            },
          }),
    };
  }
  return answers;
}

/** Problems that share a status share an answer, which names each of their codes. */
function problemAnswersOf(operation: Operation): ZodOpenApiResponsesObject {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(problemsOf(operation))) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const answers: ZodOpenApiResponsesObject = {};
  for (const [status, codes] of byStatus) {
    answers[String(status) as "400"] = {
      description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join("\n\n"),
      content: operation.path.startsWith("/v1/")
        ? { "application/json": { schema: V1Refusal } }
        : { "application/problem+json": { schema: Problem } },
    };
  }
  return answers;
}
