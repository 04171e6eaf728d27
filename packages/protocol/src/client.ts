export { type Client, type ClientOptions, createClient } from "./client/client.ts";
export { ApiProblem, ApiTimeout, ApiUnreachable, UnexpectedAnswer } from "./client/client-error.ts";
export type { CallOf, ResultOf } from "./client/operation-call.ts";
export type { FollowOptions, TaskStreamEvent } from "./client/task-stream.ts";
