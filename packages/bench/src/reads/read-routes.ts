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
  /** Only an administrator may, or sees all of it. */
  readonly admin: boolean;
}

/** Left out, with the reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  userEvents: "a stream without an end; its first page is what taskEvents reads",
  getDelivery: "needs a webhook",
  downloadArtifact: "the bench `pictures` fetches them",
  attemptPipeline: "for nodes, while they run a task",
};

type Variants = Readonly<Record<string, ReadRoute["path"]>>;

/** What is read of the routes with parameters, and of those that depend on how they are asked. */
const VARIANTS: Readonly<Record<string, Variants>> = {
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

/** Every route of the API that reads, by the protocol's own table, and what of it is not measured. */
export function readRoutes(): { readonly routes: readonly ReadRoute[]; readonly leftOut: readonly string[] } {
  const routes: ReadRoute[] = [];
  const leftOut: string[] = [];
  for (const { id, method, path, answers, access } of OPERATIONS) {
    if (method !== "GET") continue;
    const whole: Variants = path.includes("{") ? {} : { "": () => path };
    const variants = id in LEFT_OUT ? {} : (VARIANTS[id] ?? whole);
    const status = Math.min(...Object.keys(answers).map(Number));
    for (const [variant, pathOf] of Object.entries(variants)) {
      const admin = access === "admin" || path === "/v2/nodes";
      routes.push({ name: `GET ${path}${variant}`, path: pathOf, status, admin });
    }
    if (Object.keys(variants).length === 0)
      leftOut.push(`${path} (${LEFT_OUT[id] ?? "its parameters are not known here"})`);
  }
  return { routes, leftOut };
}
