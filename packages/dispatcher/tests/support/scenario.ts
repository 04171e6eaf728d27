import type { DispatcherEffect, DispatcherInput, Fault, Provider, ProviderExplanation, Task } from "@genai/dispatcher";
import { aProvider, aTask } from "./builders.ts";
import { Fleet } from "./fleet.ts";

/** The words of a command: its name, those that stand alone, and those of the form `name=value`. */
interface Command {
  readonly name: string;
  readonly words: readonly string[];
  readonly named: Readonly<Record<string, string>>;
}

/** Plays the commands of a scenario, a line each, and tells what came of them. */
export class Scenario {
  #fleet = new Fleet();
  /** Offers by provider, so that a change says only what changes. */
  readonly #offers = new Map<string, Provider>();

  /** What a command comes to, a line for each thing that happened. */
  play(line: string): string[] {
    const command = parse(line);
    const [first = "", second = ""] = command.words;
    const providerId = first;
    switch (command.name) {
      case "options":
        this.#fleet = new Fleet(numbersOf(command.named));
        return [];
      case "join":
        return this.#feed({ type: "providerJoined", provider: this.#offer(command), held: heldOf(command) });
      case "change":
        return this.#feed({ type: "providerChanged", provider: this.#offer(command) });
      case "lose":
        return this.#feed({ type: "providerLost", providerId, how: second === "left" ? "left" : "broken" });
      case "heard":
        return this.#feed({ type: "providerHeard", providerId });
      case "drain":
      case "undrain":
        return this.#feed({ type: command.name, providerId });
      case "submit":
        return this.#feed({ type: "submit", task: taskOf(command) });
      case "cancel":
        return this.#feed({ type: "cancel", taskId: first });
      case "user":
        return this.#feed({ type: "userChanged", userId: first, limits: limitsOf(command) });
      case "sent":
      case "accepted":
        return this.#feed({ type: command.name, ...refOf(first) });
      case "progressed":
        return this.#feed({ type: "progressed", ...refOf(first), value: Number(second) });
      case "rejected":
        return this.#feed({ type: "rejected", ...refOf(first), reason: second });
      case "completed": {
        const gpuMs = command.named.gpu === undefined ? null : msOf(command.named.gpu);
        return this.#feed({ type: "completed", ...refOf(first), gpuMs, warmModel: command.named.warm ?? null });
      }
      case "failed":
        return this.#feed({ type: "failed", ...refOf(first), fault: faultOf(second), code: "boom" });
      case "amnesty":
        return this.#feed({ type: "amnesty", forMs: msOf(first) });
      case "pass":
        return this.#pass(msOf(first));
      case "explain":
        return this.#explain(first);
      case "what-if":
        return this.#whatIf(command);
      case "demand":
        return this.#demand();
      case "provider": {
        const { breaker, silent, draining, freeSlots, slots } = this.#fleet.dispatcher.provider(providerId) ?? {};
        if (breaker === undefined) return ["nobody knows it"];
        const flags = [breaker, ...(silent ? ["silent"] : []), ...(draining ? ["draining"] : [])];
        return [`${freeSlots} of ${slots} slots free, ${flags.join(", ")}`];
      }
      default:
        throw new Error(`There is no command ${command.name}.`);
    }
  }

  #feed(input: DispatcherInput): string[] {
    const before = JSON.stringify(this.#fleet.dispatcher.inspect());
    const result = this.#fleet.dispatcher.step(this.#fleet.nowMs, input);
    if (result.ok) return result.effects.map(told);
    const { code, message, retryAfterMs } = result.refusal;
    const untouched = before === JSON.stringify(this.#fleet.dispatcher.inspect()) ? "" : " BUT THE STATE CHANGED";
    return [
      `refused, ${code}: ${message}${retryAfterMs === undefined ? "" : ` Again in ${retryAfterMs} ms.`}${untouched}`,
    ];
  }

  /** Time goes by, with a tick at each deadline. */
  #pass(ms: number): string[] {
    const { dispatcher } = this.#fleet;
    const untilMs = this.#fleet.nowMs + ms;
    const lines: string[] = [];
    for (let atMs = dispatcher.nextDeadlineMs(); atMs !== null && atMs <= untilMs; atMs = dispatcher.nextDeadlineMs()) {
      this.#fleet.nowMs = Math.max(this.#fleet.nowMs, atMs);
      lines.push(...this.#feed({ type: "tick" }).map((line) => `at ${this.#fleet.nowMs / 1_000} s: ${line}`));
    }
    this.#fleet.nowMs = untilMs;
    return lines;
  }

  #explain(taskId: string): string[] {
    const explanation = this.#fleet.dispatcher.explain(taskId);
    if (explanation === null) return ["there is no such task"];
    const { state, impossible, userAtCap, retryInMs, hold, providers } = explanation;
    const head = [
      state,
      ...(impossible ? ["nobody here could ever take it"] : []),
      ...(userAtCap ? ["its user is at its cap"] : []),
      ...(retryInMs === null ? [] : [`again in ${retryInMs} ms`]),
      ...(hold === null
        ? []
        : [`held for ${hold.providerId} over ${hold.over}, for ${hold.forMsMost ?? "any number of"} ms more`]),
    ];
    return [head.join("; "), ...providers.map(lineOf)];
  }

  #whatIf(command: Command): string[] {
    const answer = this.#fleet.dispatcher.whatIf(taskOf(command));
    if (!answer.ok) return [`refused, ${answer.refusal.code}: ${answer.refusal.message}`];
    const { impossible, best, providers } = answer;
    const head = impossible ? "nobody here could ever take it" : `best: ${best?.providerId ?? "nobody for now"}`;
    return [head, ...providers.map(lineOf)];
  }

  #demand(): string[] {
    const { classes, slots, idleSlots } = this.#fleet.dispatcher.demand();
    return [
      `${idleSlots} of ${slots} slots idle`,
      ...classes.map(
        ({ requirements, waiting, gpuSeconds, byMaxCost, headAgeSeconds, fittingSlots }) =>
          `${requirements.models.join("+") || "any model"}: ${waiting} waiting, ${round(gpuSeconds)} GPU s, the first for ${headAgeSeconds} s, ` +
          `${fittingSlots} slots fit; ${byMaxCost.map((one) => `${one.waiting} up to ${one.maxCost}`).join(", ")}`,
      ),
    ];
  }

  #offer({ words: [providerId = ""], named }: Command): Provider {
    const { models, cost, slots, prefetch, warm, gpu, vram, engine, legacy, image, ready, pipelines } = named;
    const offer: Provider = {
      ...(this.#offers.get(providerId) ?? aProvider(providerId)),
      ...(models === undefined ? {} : { models: models === "" ? [] : models.split(",") }),
      ...(cost === undefined ? {} : { cost: Number(cost) }),
      ...(slots === undefined ? {} : { slots: Number(slots) }),
      ...(prefetch === undefined ? {} : { prefetch: Number(prefetch) }),
      ...(warm === undefined ? {} : { warmModel: warm === "" ? null : warm }),
      ...(gpu === undefined ? {} : { gpuType: gpu }),
      ...(vram === undefined ? {} : { vramBytes: Number(vram) * 1e9 }),
      ...(engine === undefined ? {} : { engine }),
      ...(legacy === undefined ? {} : { legacy: legacy === "yes" }),
      ...(image === undefined ? {} : { imageInput: image === "yes" }),
      ...(ready === undefined ? {} : { ready: ready === "yes" }),
      ...(pipelines === undefined ? {} : { pipelines: pipelines.split(",").map(pipelineOf) }),
    };
    this.#offers.set(providerId, offer);
    return offer;
  }
}

function parse(line: string): Command {
  const [name = "", ...rest] = line.split(/\s+/);
  const named = rest.flatMap((word) => (word.includes("=") ? [word.split("=")] : []));
  return {
    name,
    words: rest.filter((word) => !word.includes("=")),
    named: Object.fromEntries(named.map(([key = "", ...value]) => [key, value.join("=")])),
  };
}

function taskOf({ words: [taskId = "t"], named }: Command): Task {
  const {
    user,
    max,
    ratio,
    priority,
    models,
    seconds,
    limit,
    expires,
    attempts,
    engine,
    gpu,
    vram,
    image,
    age,
    pipeline,
  } = named;
  return aTask(taskId, {
    ...(user === undefined ? {} : { userId: user }),
    ...(max === undefined ? {} : { maxCost: Number(max) }),
    ...(ratio === undefined ? {} : { timeToMoneyRatio: Number(ratio) }),
    ...(priority === undefined ? {} : { priority: Number(priority) }),
    ...(seconds === undefined ? {} : { work: { signature: "standard", units: Number(seconds) * 1e6 } }),
    ...(limit === undefined ? {} : { limitMs: msOf(limit) }),
    ...(expires === undefined ? {} : { expiresInMs: msOf(expires) }),
    ...(attempts === undefined ? {} : { maxAttempts: Number(attempts) }),
    ...(age === undefined ? {} : { ageMs: msOf(age) }),
    requirements: {
      ...(models === undefined ? {} : { models: models === "" ? [] : models.split(",") }),
      ...(engine === undefined ? {} : { engine }),
      ...(gpu === undefined ? {} : { gpuType: gpu }),
      ...(vram === undefined ? {} : { vramBytesMin: Number(vram) * 1e9 }),
      ...(image === undefined ? {} : { imageInput: image === "required" ? "required" : "wish" }),
      ...(pipeline === undefined ? {} : { pipeline: pipelineOf(pipeline) }),
    },
  });
}

function limitsOf({ named: { weight = "1", class: userClass = "0", queued = "10000", running } }: Command) {
  return {
    weight: Number(weight),
    userClass: Number(userClass),
    queuedMax: Number(queued),
    runningMax: running === undefined ? null : Number(running),
  };
}

function heldOf({ named: { held = "" } }: Command) {
  return held === ""
    ? []
    : held
        .split(",")
        .map((name) => refOf(`${name}@`))
        .map(({ taskId, attempt }) => ({ taskId, attempt }));
}

/** `t1#2@p3`: the second attempt of t1, at p3. */
function refOf(name: string): { taskId: string; attempt: number; providerId: string } {
  const [, taskId = "", attempt = "", providerId = ""] = /^(.*)#(\d+)@(.*)$/.exec(name) ?? [];
  return { taskId, attempt: Number(attempt), providerId };
}

/** `30s`, `5m`, `1h`, or milliseconds. */
function msOf(text: string): number {
  const [, value = "NaN", unit = ""] = /^(-?[\d.]+)(s|m|h)?$/.exec(text) ?? [];
  return Number(value) * ({ s: 1_000, m: 60_000, h: 3_600_000 }[unit] ?? 1);
}

function faultOf(text: string): Fault {
  return text === "task" || text === "unexplained" ? text : "node";
}

function pipelineOf(text: string): "standard" | "comfy" {
  return text === "comfy" ? "comfy" : "standard";
}

function numbersOf(named: Readonly<Record<string, string>>): Record<string, number> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, msOf(value)]));
}

function told(effect: DispatcherEffect): string {
  switch (effect.type) {
    case "send":
      return `send ${effect.taskId}#${effect.attempt} to ${effect.providerId} for ${effect.cost}, about ${round(effect.expectedMs / 1_000)} s`;
    case "abort":
      return `abort ${effect.taskId}#${effect.attempt} at ${effect.providerId}: ${effect.reason}`;
    case "attemptChanged": {
      const charged = effect.open ? "" : `, charged ${effect.gpuMs} ms`;
      return `${effect.taskId}#${effect.attempt} at ${effect.providerId} is ${effect.state}${charged}`;
    }
    case "requeued": {
      const { taskId, reason, faults, losses, retryInMs } = effect;
      return `${taskId} waits again (${reason}): ${faults} faults, ${losses} losses${retryInMs > 0 ? `, in ${retryInMs} ms` : ""}`;
    }
    case "settled": {
      const { settlement } = effect;
      return `${effect.taskId} ${settlement.state === "failed" ? `failed: ${settlement.code}` : settlement.state}`;
    }
    case "verdict":
      return `tell ${effect.providerId}: ${effect.taskId}#${effect.attempt} ${effect.verdict}`;
    case "disconnect":
      return `disconnect ${effect.providerId}: ${effect.reason}`;
  }
}

function lineOf({ providerId, reasons, parts }: ProviderExplanation): string {
  const why = reasons.length === 0 ? "free" : reasons.join(", ");
  if (parts === null) return `  ${providerId}: ${why}`;
  const { cost, aheadSeconds, loadSeconds, runSeconds, score } = parts;
  const seconds = `${round(aheadSeconds)} ahead + ${round(loadSeconds)} loading + ${round(runSeconds)} running`;
  return `  ${providerId}: ${why}; costs ${cost}, ${seconds} s, score ${round(score)}`;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
