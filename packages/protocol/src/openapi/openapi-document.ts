import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from "zod-openapi";
import { V2_OPERATIONS } from "../v2/operations.ts";
import { Problem } from "../v2/problem.ts";
import { PROBLEMS, type ProblemCode } from "../v2/problem-codes.ts";
import { PreviewEvent, ProgressEvent, StateEvent } from "../v2/task-events.ts";
import type { Operation } from "./operation.ts";

/** Any route may be refused in these ways. */
const EVERYWHERE: readonly ProblemCode[] = ["invalid_request", "internal", "unavailable"];
/** Routes that know their caller. */
const FOR_CALLERS: readonly ProblemCode[] = ["unauthenticated", "rate_limited"];

/** Every problem that an operation may answer with. */
export function problemsOf(operation: Operation): readonly ProblemCode[] {
  return [
    ...EVERYWHERE,
    ...(operation.access === "anyone" ? [] : FOR_CALLERS),
    ...(operation.access === "admin" ? (["forbidden"] as const) : []),
    ...operation.problems,
  ];
}

/** The OpenAPI 3.1 document of the API. */
export function openApiDocument(options: {
  readonly version: string;
  readonly serverUrl: string;
}): ReturnType<typeof createDocument> {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const operation of Object.values<Operation>(V2_OPERATIONS)) {
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: described(operation) };
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
    security: [{ bearer: [] }],
    tags: [
      { name: "tasks", description: "What is to be made, and what became of it." },
      { name: "fleet", description: "The nodes, and what they offer." },
      { name: "account", description: "What the caller has used." },
    ],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "A JWT or an API key." },
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
    ...(operation.access === "anyone" ? { security: [] } : {}),
    requestParams: {
      ...(operation.params === undefined ? {} : { path: operation.params }),
      ...(operation.query === undefined ? {} : { query: operation.query }),
      ...(operation.headers === undefined ? {} : { header: operation.headers }),
    },
    ...(operation.body === undefined ? {} : { requestBody: bodyOf(operation.body) }),
    responses: { ...answersOf(operation), ...problemAnswersOf(operation) },
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
    },
  };
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
      content: { "application/problem+json": { schema: Problem } },
    };
  }
  return answers;
}
