export { type Clock, systemClock } from "./clock.ts";
export { EmbeddedDispatcher } from "./embedded-dispatcher.ts";
export type { EmbeddedProvider, EmbeddedTask } from "./embedded-task.ts";
export { Declined, RefusedError, TaskError, TaskFault } from "./errors.ts";
export type { DispatchEvents } from "./events.ts";
export type { Assignment, Transport } from "./transport.ts";
