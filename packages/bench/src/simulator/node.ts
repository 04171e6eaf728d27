import type { AttemptRef, DispatcherInput, Provider } from "@genai/dispatcher";
import type { Profile } from "./profile.ts";
import type { Random } from "./random.ts";
import { MODELS, UNITS } from "./tasks.ts";

/** What a node needs of the world around it. */
export interface NodeWorld {
  readonly random: Random;
  readonly profile: Profile;
  after(ms: number, run: () => void): void;
  feed(input: DispatcherInput): void;
  /** How much work an attempt is: units of a standard picture. */
  workOf(taskId: string): number;
}

interface Work {
  readonly ref: AttemptRef & { readonly providerId: string };
  /** The result is there and waits for a connection. */
  done: boolean;
}

const HEARTBEAT_MS = 10_000;
/** A node's message takes about this long. */
const LATENCY_MS = 20;

/** A node with the faults that real ones have: it dies, hangs, slows down, flaps, lies, answers late and twice. */
export class SimulatedNode {
  readonly #world: NodeWorld;
  offer: Provider;
  connected = false;
  /** Counts its connections: messages of an earlier one are lost. */
  #connection = 0;
  #silentForBeats = 0;
  #slowness = 1;
  readonly #works = new Map<string, Work>();

  constructor(world: NodeWorld, providerId: string) {
    this.#world = world;
    const { random, profile } = world;
    const calm = profile.calm !== null;
    const legacy = !calm && random.chance(profile.legacyShare);
    this.offer = {
      providerId,
      legacy,
      engine: calm ? "comfyUI" : random.pick(["comfyUI", "comfyUI", "automatic", legacy ? null : "comfyUI"]),
      pipelines: calm ? ["standard", "comfy"] : random.pick([["standard", "comfy"], ["standard"], ["comfy"]]),
      models: calm || random.chance(0.5) ? [] : [random.pick(MODELS), random.pick(MODELS)],
      warmModel: calm || random.chance(0.5) ? null : random.pick(MODELS),
      gpuType: calm ? "4090" : random.pick(["4090", "3060", null]),
      vramBytes: calm ? 24e9 : random.pick([24e9, 12e9, null]),
      imageInput: random.chance(0.5),
      slots: calm || legacy ? 1 : random.pick([1, 1, 1, 2, 3]),
      prefetch: calm || legacy || random.chance(0.8) ? 0 : random.integer(1, 2),
      cost: calm ? 1 : random.pick([0, 1, 1, 2, 5, 12]),
      ready: true,
    };
  }

  /** Registers, with what it holds, as far as it tells the truth. */
  join(): void {
    const { random, profile } = this.#world;
    if (!this.offer.legacy && random.chance(0.3)) this.#works.clear();
    if (this.offer.legacy) this.#works.clear();
    this.connected = true;
    this.#connection += 1;
    const held = [...this.#works.values()].map(({ ref }) => ({ taskId: ref.taskId, attempt: ref.attempt }));
    if (random.chance(profile.lies)) held.push({ taskId: `t${random.integer(1, 20)}`, attempt: random.integer(1, 3) });
    this.#world.feed({ type: "providerJoined", provider: this.offer, held });
    for (const work of this.#works.values()) if (work.done) this.#deliver(work);
    this.#beat(this.#connection);
  }

  /** Its connection is gone. */
  lose(how: "broken" | "left"): void {
    if (!this.connected) return;
    this.connected = false;
    if (how === "left" || this.offer.legacy) this.#works.clear();
    this.#world.feed({ type: "providerLost", providerId: this.offer.providerId, how });
  }

  /** One of the things that happen to nodes. */
  suffer(): void {
    const { random } = this.#world;
    const { providerId } = this.offer;
    const comeBack = () => this.#world.after(random.around(random.pick([500, 4_000, 40_000])), () => this.#rejoin());
    random.pick<() => void>([
      () => {
        this.lose("broken");
        comeBack();
      },
      () => {
        this.lose("left");
        comeBack();
      },
      () => {
        this.#silentForBeats = random.integer(1, 8);
      },
      () => {
        this.#slowness = random.pick([0.5, 1, 3, 20]);
      },
      () => {
        for (let i = 0; i < 3; i++)
          this.#world.after(i * 300, () => (this.connected ? this.lose("broken") : this.#rejoin()));
        comeBack();
      },
      () => this.connected && this.#world.feed({ type: random.pick(["drain", "undrain"]), providerId }),
      () => this.connected && this.join(),
      () => {
        if (!this.connected) return;
        this.offer = {
          ...this.offer,
          ready: random.chance(0.8),
          cost: random.pick([this.offer.cost, 0, 1, 4]),
          slots: this.offer.legacy ? 1 : random.integer(1, 3),
          warmModel: random.pick([null, ...MODELS]),
        };
        this.#world.feed({ type: "providerChanged", provider: this.offer });
      },
    ])();
  }

  /** A task frame arrives, unless the connection that it was written to is gone. */
  receive(ref: AttemptRef): void {
    const { random, profile } = this.#world;
    const connection = this.#connection;
    this.#world.after(LATENCY_MS, () => {
      if (!this.connected || connection !== this.#connection) return;
      const named = { taskId: ref.taskId, attempt: ref.attempt, providerId: this.offer.providerId };
      if (random.chance(profile.rejects)) {
        this.#say({ type: "rejected", ...named, reason: "busy" });
        return;
      }
      const work: Work = { ref: named, done: false };
      this.#works.set(nameOf(ref), work);
      if (profile.chatty) this.#chat(work);
      this.#work(work);
    });
  }

  /** An abort arrives. A legacy node is deaf; a liar goes on. */
  abort(ref: AttemptRef): void {
    const { random, profile } = this.#world;
    const work = this.#works.get(nameOf(ref));
    if (this.offer.legacy || work === undefined || random.chance(profile.lies)) return;
    this.#works.delete(nameOf(ref));
    if (random.chance(0.5)) {
      this.#world.after(LATENCY_MS, () => this.#say({ type: "rejected", ...work.ref, reason: "aborted" }));
    }
  }

  /** Names some attempt, mostly one that was never its own or is no more, connected or not. */
  lie(ref: AttemptRef): void {
    const { random } = this.#world;
    const named = { taskId: ref.taskId, attempt: ref.attempt, providerId: this.offer.providerId };
    this.#say(
      random.pick<DispatcherInput>([
        { type: "completed", ...named, gpuMs: random.pick([0, 1, 1e9]), warmModel: random.pick(MODELS) },
        { type: "failed", ...named, fault: random.pick(["task", "node", "unexplained"]), code: "lie" },
        { type: "accepted", ...named },
        { type: "progressed", ...named, value: random.fraction() },
        { type: "rejected", ...named, reason: "lie" },
      ]),
    );
  }

  #rejoin(): void {
    if (!this.connected) this.join();
  }

  #beat(connection: number): void {
    this.#world.after(HEARTBEAT_MS, () => {
      if (!this.connected || connection !== this.#connection) return;
      if (this.#silentForBeats > 0) this.#silentForBeats -= 1;
      else this.#world.feed({ type: "providerHeard", providerId: this.offer.providerId });
      this.#beat(connection);
    });
  }

  #chat({ ref }: Work): void {
    const { random } = this.#world;
    this.#world.after(random.around(30), () => this.#say({ type: "accepted", ...ref }));
    this.#world.after(random.around(2_000), () => this.#say({ type: "progressed", ...ref, value: random.fraction() }));
  }

  #work(work: Work): void {
    const { random, profile } = this.#world;
    const spread = profile.calm === null ? 0.5 + random.fraction() : 0.9 + random.fraction() * 0.1;
    const runMs = Math.ceil(profile.runMs * this.#world.workOf(work.ref.taskId) * spread * this.#slowness);
    if (random.chance(profile.hangs)) return;
    this.#world.after(runMs, () => {
      if (this.#works.get(nameOf(work.ref)) !== work) return;
      if (this.connected && random.chance(profile.fails)) {
        this.#works.delete(nameOf(work.ref));
        const fault = random.pick(["node", "node", "unexplained", "task"] as const);
        this.#say({ type: "failed", ...work.ref, fault, code: "simulated" });
        return;
      }
      work.done = true;
      if (this.connected) this.#deliver(work);
      else if (this.offer.legacy) this.#works.delete(nameOf(work.ref));
    });
  }

  #deliver(work: Work): void {
    const { random, profile } = this.#world;
    this.#works.delete(nameOf(work.ref));
    const answer: DispatcherInput = {
      type: "completed",
      ...work.ref,
      gpuMs: random.chance(0.7) ? null : random.integer(0, 60_000),
      loadMs: random.chance(0.8) ? null : random.integer(0, 5_000),
      warmModel: random.chance(0.7) ? null : random.pick(MODELS),
    };
    const calm = profile.calm !== null;
    this.#say(calm ? { ...answer, gpuMs: null, loadMs: null, warmModel: null } : answer);
    if (random.chance(profile.duplicates)) this.#world.after(random.around(5_000), () => this.#say(answer));
  }

  /** Most servers hear a node with each frame; some frames come before the heartbeat that says so. */
  #say(input: DispatcherInput): void {
    if (this.#world.random.chance(0.5)) this.#world.feed({ type: "providerHeard", providerId: this.offer.providerId });
    this.#world.feed(input);
  }
}

/** Units of work as the node feels them. */
export function relativeWork(units: number): number {
  return units >= UNITS / 8 ? units / UNITS : 1;
}

function nameOf(ref: AttemptRef): string {
  return `${ref.attempt}#${ref.taskId}`;
}
