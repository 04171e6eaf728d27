import { OPERATIONS } from "@genai/protocol";

/** What the addresses are made of. */
export interface ReadSubjects {
  /** An ended task of the caller; another one for each number. */
  readonly taskId: (n: number) => string;
  readonly uploadId: string;
  /** Where a page deep in the caller's list begins. */
  readonly deepCursor: string;
}

export interface ReadRoute {
  readonly name: string;
  readonly path: (n: number, subjects: ReadSubjects) => string;
  readonly status: number;
}

/** Left out, with the reason. */
export const UNMEASURED: Readonly<Record<string, string>> = {
  userEvents: "a stream without an end; its first page is what taskEvents reads",
};

const PATHS: Readonly<Record<string, Readonly<Record<string, ReadRoute["path"]>>>> = {
  listTasks: {
    "": () => "/v2/tasks",
    ", 200 of them": () => "/v2/tasks?limit=200",
    ", a page deep in it": (_n, { deepCursor }) => `/v2/tasks?cursor=${deepCursor}`,
    ", a state that none is in": () => "/v2/tasks?state=failed",
  },
  getTask: { "": (n, { taskId }) => `/v2/tasks/${taskId(n)}` },
  taskEvents: { "": (n, { taskId }) => `/v2/tasks/${taskId(n)}/events` },
  explainTask: { "": (n, { taskId }) => `/v2/tasks/${taskId(n)}/explain` },
  getUpload: { "": (_n, { uploadId }) => `/v2/uploads/${uploadId}` },
  v1GetTask: { "": (n, { taskId }) => `/v1/tasks/${taskId(n)}` },
};

/** Every route of the API that reads, by the protocol's own table: one that is not thought of here stops the bench. */
export function readRoutes(): readonly ReadRoute[] {
  return OPERATIONS.filter(({ id, method }) => method === "GET" && !(id in UNMEASURED)).flatMap((operation) => {
    const status = Math.min(...Object.keys(operation.answers).map(Number));
    const paths = PATHS[operation.id] ?? (operation.path.includes("{") ? {} : { "": () => operation.path });
    if (Object.keys(paths).length === 0) throw new Error(`How is ${operation.path} to be measured?`);
    return Object.entries(paths).map(([variant, path]) => ({
      name: `GET ${operation.path}${variant}`,
      path,
      status,
    }));
  });
}
