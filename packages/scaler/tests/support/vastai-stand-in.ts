import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface StandInOffer {
  readonly id: number;
  readonly machine_id: number;
  readonly gpu_name: string;
  readonly num_gpus: number;
  readonly gpu_ram: number;
  readonly dph_total: number;
  readonly reliability: number;
  readonly geolocation: string;
  readonly rentable: boolean;
}

export interface StandInInstance {
  id: number;
  label: string | null;
  actual_status: string | null;
  intended_status: string;
  status_msg: string;
  machine_id: number;
  gpu_name: string;
  num_gpus: number;
  dph_total: number;
  start_date: number;
  image_uuid: string;
  extra_env: [string, string][];
  /** Lists in which it still stands after its destruction was asked for. */
  lingers: number;
}

/** What goes wrong, and how often; each number counts down. */
export interface Faults {
  /** Calls answered 429 as plain text, without Retry-After. */
  tooMany: number;
  /** Calls answered 502 by a proxy's page. */
  badGateway: number;
  /** Calls whose connection is cut before anything happens. */
  cut: number;
  /** Rents answered 410. */
  offerGone: number;
  /** Rents that happen, and whose answer is lost with the connection. */
  answerLost: number;
  /** Calls that are cut after such a rent. */
  cutAfterLost: number;
  /** Machines whose instances stay at `loading`. */
  readonly stuckMachines: Set<number>;
  /** Instances that end at once. */
  shortLived: boolean;
  /** Lists in which a destroyed instance still stands. */
  lingerLists: number;
}

/** A vast.ai of its own on loopback, with the answers of the real one as its documents and its programs show them, and its faults. */
export class VastaiStandIn implements AsyncDisposable {
  readonly faults: Faults = {
    tooMany: 0,
    badGateway: 0,
    cut: 0,
    offerGone: 0,
    answerLost: 0,
    cutAfterLost: 0,
    stuckMachines: new Set(),
    shortLived: false,
    lingerLists: 0,
  };
  readonly offers: StandInOffer[] = [];
  readonly instances = new Map<number, StandInInstance>();
  readonly calls: string[] = [];
  readonly bodies: Record<string, unknown>[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #apiKey: string;
  #lastId = 1000;

  private constructor(apiKey: string) {
    this.#apiKey = apiKey;
  }

  static async start(apiKey: string): Promise<VastaiStandIn> {
    const standIn = new VastaiStandIn(apiKey);
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  addOffer(different: Partial<StandInOffer> = {}): StandInOffer {
    this.#lastId += 1;
    const offer: StandInOffer = {
      id: this.#lastId,
      machine_id: this.#lastId * 10,
      gpu_name: "RTX 4090",
      num_gpus: 1,
      gpu_ram: 24_564,
      dph_total: 0.4,
      reliability: 0.99,
      geolocation: "Sweden, SE",
      rentable: true,
      ...different,
    };
    this.offers.push(offer);
    return offer;
  }

  addInstance(different: Partial<StandInInstance> = {}): StandInInstance {
    this.#lastId += 1;
    const instance: StandInInstance = {
      id: this.#lastId,
      label: null,
      actual_status: "running",
      intended_status: "running",
      status_msg: "success, running",
      machine_id: 1,
      gpu_name: "RTX 3090",
      num_gpus: 1,
      dph_total: 0.2,
      start_date: Date.now() / 1000,
      image_uuid: "somebody/else",
      extra_env: [],
      lingers: -1,
      ...different,
    };
    this.instances.set(instance.id, instance);
    return instance;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request);
    const url = new URL(request.url ?? "/", this.url);
    this.calls.push(`${request.method} ${url.pathname}`);
    this.bodies.push(body);
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (request.headers.authorization !== `Bearer ${this.#apiKey}`)
      return void json(401, { success: false, msg: "no" });
    if (this.faults.cut-- > 0) return void request.socket.destroy();
    if (this.faults.tooMany-- > 0)
      return void response.writeHead(429).end("API requests too frequent endpoint threshold=4.5");
    if (this.faults.badGateway-- > 0) return void response.writeHead(502).end("<html>Bad Gateway</html>");
    const [, version, collection, id] = /^\/api\/(v\d)\/([a-z]+)\/(?:(\d+)\/)?$/.exec(url.pathname) ?? [];
    switch (`${request.method} ${version} ${collection}`) {
      case "POST v0 bundles":
        return void json(200, { offers: this.#search(body) });
      case "PUT v0 asks":
        return this.#rent(Number(id), body, request, json);
      case "GET v1 instances":
        return void json(200, this.#page(url.searchParams));
      case "PUT v0 instances":
        return this.#stop(Number(id), json);
      case "DELETE v0 instances":
        return this.#destroy(Number(id), json);
      default:
        return void json(404, { success: false, error: "no_such_path", msg: url.pathname });
    }
  }

  #search(body: Record<string, unknown>): readonly StandInOffer[] {
    const operators: Record<string, (a: number, b: number) => boolean> = {
      eq: (a, b) => a === b,
      gte: (a, b) => a >= b,
      lte: (a, b) => a <= b,
    };
    const passes = (offer: StandInOffer) =>
      Object.entries(body).every(([field, condition]) => {
        if (!(field in offer) || field === "rentable" || typeof condition !== "object" || condition === null)
          return true;
        const value = offer[field as "dph_total"];
        return Object.entries(condition).every(([name, bound]) => operators[name]?.(value, Number(bound)) ?? true);
      });
    // Not in the order that was asked for: the real one has been seen to mix prices too.
    return this.offers
      .filter((offer) => offer.rentable && passes(offer))
      .slice(0, Number(body.limit))
      .reverse();
  }

  #rent(offerId: number, body: Record<string, unknown>, request: IncomingMessage, json: Json): void {
    const index = this.offers.findIndex((offer) => offer.id === offerId);
    const offer = this.offers[index];
    if (this.faults.offerGone-- > 0 || !offer) {
      if (index >= 0) this.offers.splice(index, 1);
      return void json(offer ? 410 : 404, {
        success: false,
        error: "no_such_ask",
        msg: `Instance type by id ${offerId} is gone`,
      });
    }
    this.offers.splice(index, 1);
    const stuck = this.faults.stuckMachines.has(offer.machine_id);
    const instance = this.addInstance({
      label: String(body.label),
      actual_status: stuck ? "loading" : null,
      status_msg: "pulling",
      machine_id: offer.machine_id,
      gpu_name: offer.gpu_name,
      dph_total: offer.dph_total,
      image_uuid: String(body.image),
      extra_env: Object.entries(body.env as Record<string, string>),
    });
    if (this.faults.answerLost-- > 0) {
      this.faults.cut = this.faults.cutAfterLost;
      request.socket.destroy();
    } else json(200, { success: true, new_contract: instance.id });
  }

  /** Each look moves instances on, as time moves the real ones. */
  #page(query: URLSearchParams): unknown {
    const after = Number(query.get("after_token") ?? 0);
    if (after === 0) for (const instance of [...this.instances.values()]) this.#moveOn(instance);
    const rest = [...this.instances.values()].filter((instance) => instance.id > after).sort((a, b) => a.id - b.id);
    const instances = rest.slice(0, Math.min(Number(query.get("limit")), 25));
    const next = rest.length > instances.length ? String(instances.at(-1)?.id) : null;
    return {
      success: true,
      instances_found: instances.length,
      total_instances: this.instances.size,
      instances,
      next_token: next,
    };
  }

  #moveOn(instance: StandInInstance): void {
    if (instance.lingers === 0) this.instances.delete(instance.id);
    if (instance.lingers > 0) instance.lingers -= 1;
    if (instance.intended_status === "stopped") instance.actual_status = "exited";
    else if (this.faults.stuckMachines.has(instance.machine_id)) return;
    else if (instance.actual_status === null) instance.actual_status = "loading";
    else if (instance.actual_status === "loading") instance.actual_status = "running";
    else if (instance.actual_status === "running" && this.faults.shortLived) {
      instance.actual_status = "exited";
      instance.status_msg = "Error: the container ended";
    }
  }

  #stop(instanceId: number, json: Json): void {
    const instance = this.instances.get(instanceId);
    if (!instance) return void json(404, { success: false, error: "no_such_instance" });
    instance.intended_status = "stopped";
    json(200, { success: true });
  }

  #destroy(instanceId: number, json: Json): void {
    const instance = this.instances.get(instanceId);
    if (!instance) return void json(404, { success: false, error: "no_such_instance" });
    if (instance.lingers < 0) instance.lingers = this.faults.lingerLists;
    json(200, { success: true });
  }
}

type Json = (status: number, value: unknown) => unknown;

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  const text = Buffer.concat(pieces).toString("utf8");
  return text === "" ? {} : JSON.parse(text);
}
