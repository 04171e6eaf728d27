import type { Refusal } from "./effect.ts";
import type { DispatcherInput, UserLimits } from "./input.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Provider } from "./provider.ts";
import type { OpenAttempt, Requirements, Task, TaskHistory } from "./task.ts";

/** Greatest duration and price that is believed: a century in milliseconds, and ten to the fifteenth credits. */
const DURATION_MS_MAX = 3.2e12;
const COST_MAX = 1e15;
/** Greatest work in units: far beyond any picture, small enough that sums stay exact. */
const UNITS_MAX = 1e15;
const COUNT_MAX = 1e9;

/** What is wrong with an input, naming the first field that is; null where nothing is. Looks at the input alone, not at the state. */
export function problemOf(input: DispatcherInput, options: DispatcherOptions): Refusal | null {
  const check = new Check(options);
  switch (input.type) {
    case "submit":
      checkTask(check, input.task);
      break;
    case "userChanged":
      check.id("userId", input.userId);
      checkLimits(check, input.limits);
      break;
    case "providerJoined":
      checkProvider(check, input.provider);
      checkHeld(check, input.held);
      break;
    case "providerChanged":
      checkProvider(check, input.provider);
      break;
    case "progressed":
      check.number("value", input.value, 0, 1);
      break;
    case "completed":
      if (input.gpuMs !== null) check.number("gpuMs", input.gpuMs, 0, DURATION_MS_MAX);
      if (input.loadMs != null) check.number("loadMs", input.loadMs, 0, DURATION_MS_MAX);
      if (input.warmModel !== null) check.text("warmModel", input.warmModel);
      break;
    case "failed":
      check.oneOf("fault", input.fault, ["task", "node", "unexplained"]);
      break;
    case "providerLost":
      check.oneOf("how", input.how, ["broken", "left"]);
      break;
    case "amnesty":
      check.number("forMs", input.forMs, 0, DURATION_MS_MAX);
      break;
    case "cancel":
    case "withdraw":
    case "providerHeard":
    case "drain":
    case "undrain":
    case "sent":
    case "accepted":
    case "rejected":
    case "tick":
      // Their ids are looked up, and what is not found is refused there.
      break;
    default:
      check.fail("type", `is unknown: ${String((input satisfies never as { type: unknown }).type)}`);
  }
  return check.refusal;
}

/** What is wrong with a task by itself, for callers that ask about one without submitting it. */
export function taskProblem(task: Task, options: DispatcherOptions): Refusal | null {
  const check = new Check(options);
  checkTask(check, task);
  return check.refusal;
}

/** Collects the first problem. */
class Check {
  readonly options: DispatcherOptions;
  refusal: Refusal | null = null;

  constructor(options: DispatcherOptions) {
    this.options = options;
  }

  fail(field: string, problem: string): void {
    this.refusal ??= { code: "invalid", field, message: `${field} ${problem}.` };
  }

  number(field: string, value: number, least: number, most: number): void {
    if (typeof value !== "number" || !(value >= least && value <= most)) {
      this.fail(field, `is ${String(value)}; it must be a number from ${least} to ${most}`);
    }
  }

  integer(field: string, value: number, least: number, most: number): void {
    if (!Number.isInteger(value)) this.fail(field, `is ${String(value)}; it must be a whole number`);
    this.number(field, value, least, most);
  }

  text(field: string, value: string): void {
    if (typeof value !== "string") this.fail(field, "must be a text");
    else if (value.length > this.options.textCharsMax) {
      this.fail(field, `has ${value.length} characters; the most is ${this.options.textCharsMax}`);
    }
  }

  id(field: string, value: string): void {
    this.text(field, value);
    if (value === "") this.fail(field, "is empty");
  }

  boolean(field: string, value: boolean): void {
    if (typeof value !== "boolean") this.fail(field, "must be true or false");
  }

  oneOf(field: string, value: string, values: readonly string[]): void {
    if (!values.includes(value)) this.fail(field, `is ${String(value)}; it must be one of ${values.join(", ")}`);
  }

  /** False where it is no list of at most so many, so that its entries are not looked at. */
  list(field: string, value: readonly unknown[], most: number): boolean {
    if (!Array.isArray(value)) this.fail(field, "must be a list");
    else if (value.length > most) this.fail(field, `has ${value.length} entries; the most is ${most}`);
    else return true;
    return false;
  }
}

function checkTask(check: Check, task: Task): void {
  check.id("task.taskId", task.taskId);
  check.id("task.userId", task.userId);
  check.number("task.priority", task.priority, -10, 10);
  check.number("task.maxCost", task.maxCost, 0, Number.MAX_VALUE);
  check.number("task.timeToMoneyRatio", task.timeToMoneyRatio, 0, Number.MAX_VALUE);
  checkRequirements(check, task.requirements);
  check.id("task.work.signature", task.work.signature);
  check.number("task.work.units", task.work.units, Number.MIN_VALUE, UNITS_MAX);
  check.number("task.limitMs", task.limitMs, 1, DURATION_MS_MAX);
  check.number("task.ageMs", task.ageMs, 0, DURATION_MS_MAX);
  if (task.expiresInMs !== null) {
    // A task that an earlier process accepted may have passed its deadline meanwhile: it settles at once, it is not refused.
    const least = task.history === undefined ? Number.MIN_VALUE : -DURATION_MS_MAX;
    check.number("task.expiresInMs", task.expiresInMs, least, DURATION_MS_MAX);
  }
  check.integer("task.maxAttempts", task.maxAttempts, 1, 100);
  if (task.history !== undefined) checkHistory(check, task.history);
}

function checkRequirements(check: Check, requirements: Requirements): void {
  check.oneOf("task.requirements.pipeline", requirements.pipeline, ["standard", "comfy"]);
  if (requirements.engine !== null) check.id("task.requirements.engine", requirements.engine);
  if (check.list("task.requirements.models", requirements.models, check.options.modelsMax)) {
    for (const model of requirements.models) check.text("task.requirements.models", model);
  }
  if (requirements.gpuType !== null) check.id("task.requirements.gpuType", requirements.gpuType);
  if (requirements.vramBytesMin !== null) {
    check.number("task.requirements.vramBytesMin", requirements.vramBytesMin, 0, Number.MAX_SAFE_INTEGER);
  }
  check.oneOf("task.requirements.imageInput", requirements.imageInput, ["none", "wish", "required"]);
  check.boolean("task.requirements.modelIsWishOnLegacy", requirements.modelIsWishOnLegacy);
}

function checkHistory(check: Check, history: TaskHistory): void {
  check.integer("task.history.lastAttempt", history.lastAttempt, 0, COUNT_MAX);
  check.integer("task.history.faults", history.faults, 0, COUNT_MAX);
  check.integer("task.history.losses", history.losses, 0, COUNT_MAX);
  check.number("task.history.retryInMs", history.retryInMs, 0, DURATION_MS_MAX);
  if (check.list("task.history.failedProviderIds", history.failedProviderIds, COUNT_MAX)) {
    for (const id of history.failedProviderIds) check.id("task.history.failedProviderIds", id);
  }
  if (check.list("task.history.open", history.open, 2)) {
    for (const open of history.open) checkOpenAttempt(check, open, history);
    if (new Set(history.open.map((open) => open.attempt)).size < history.open.length) {
      check.fail("task.history.open", "names one attempt twice");
    }
  }
}

function checkOpenAttempt(check: Check, open: OpenAttempt, history: TaskHistory): void {
  check.integer("task.history.open.attempt", open.attempt, 1, Math.max(1, history.lastAttempt));
  check.id("task.history.open.providerId", open.providerId);
  check.number("task.history.open.cost", open.cost, 0, COST_MAX);
  check.number("task.history.open.limitLeftMs", open.limitLeftMs, -DURATION_MS_MAX, DURATION_MS_MAX);
}

function checkProvider(check: Check, provider: Provider): void {
  check.id("provider.providerId", provider.providerId);
  if (provider.engine !== null) check.id("provider.engine", provider.engine);
  if (check.list("provider.pipelines", provider.pipelines, 2)) {
    for (const pipeline of provider.pipelines) check.oneOf("provider.pipelines", pipeline, ["standard", "comfy"]);
  }
  if (check.list("provider.models", provider.models, check.options.modelsMax * 100)) {
    for (const model of provider.models) check.text("provider.models", model);
  }
  if (provider.warmModel !== null) check.text("provider.warmModel", provider.warmModel);
  if (provider.gpuType !== null) check.text("provider.gpuType", provider.gpuType);
  if (provider.vramBytes !== null) check.number("provider.vramBytes", provider.vramBytes, 0, Number.MAX_SAFE_INTEGER);
  check.boolean("provider.legacy", provider.legacy);
  check.boolean("provider.imageInput", provider.imageInput);
  check.boolean("provider.ready", provider.ready);
  check.integer("provider.slots", provider.slots, 1, 64);
  check.integer("provider.prefetch", provider.prefetch, 0, 4);
  check.number("provider.cost", provider.cost, 0, COST_MAX);
}

function checkHeld(check: Check, held: readonly { readonly taskId: string; readonly attempt: number }[]): void {
  if (!check.list("held", held, 10_000)) return;
  for (const ref of held) {
    check.id("held.taskId", ref.taskId);
    check.integer("held.attempt", ref.attempt, 1, COUNT_MAX);
  }
}

function checkLimits(check: Check, limits: UserLimits): void {
  check.number("limits.weight", limits.weight, 1e-6, 1e6);
  check.integer("limits.userClass", limits.userClass, -1_000, 1_000);
  check.integer("limits.queuedMax", limits.queuedMax, 0, COUNT_MAX);
  if (limits.runningMax !== null) check.integer("limits.runningMax", limits.runningMax, 0, COUNT_MAX);
}
