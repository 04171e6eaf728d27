export type { AbortReason, AttemptState, DispatcherEffect, Refusal, Settlement, StepResult } from "./effect.ts";
export type { AttemptRef, DispatcherInput, Fault, UserLimits } from "./input.ts";
export type { Provider } from "./provider.ts";
export type { OpenAttempt, Requirements, Task, TaskHistory, Work } from "./task.ts";
