import { setTimeout as pause } from "node:timers/promises";
import type { z } from "zod";
import { ScalerError } from "../../core/scaler-error.ts";
import {
  VastaiContract,
  type VastaiInstance,
  VastaiInstancePage,
  VastaiOffer,
  VastaiOffers,
  VastaiRefusal,
} from "./vastai-schemas.ts";

export interface VastaiClientOptions {
  /** Default https://console.vast.ai. */
  readonly baseUrl: string;
  /** Goes into the header alone; no message and no log ever holds it. */
  readonly apiKey: string;
  /** First pause after a 429 or a 5xx, doubled each time. vast.ai's 429 carries no Retry-After; its thresholds lie at 1 to 4.5 s. */
  readonly backoffMs: number;
}

/** What vast.ai answered where it refused; `status` is its HTTP status. */
export class VastaiRefused extends Error {
  readonly status: number;

  constructor(status: number, reason: string) {
    super(`vast.ai answered ${status}${reason === "" ? "" : `: ${reason}`}`);
    this.name = "VastaiRefused";
    this.status = status;
  }
}

const CALL_MS = 30_000;
const ANSWER_BYTES_MAX = 8 * 1024 ** 2;
const TRIES_MAX = 5;
const PAGE_SIZE = 25;
const PAGES_MAX = 200;

/** What came of a call. `cut`: the connection broke, and another try may do. `silent`: nothing came for `CALL_MS`, which is patience enough. */
type Answer =
  | { readonly type: "answered"; readonly status: number; readonly text: string }
  | { readonly type: "cut" | "silent"; readonly error: ScalerError };

/** vast.ai's REST API, as far as nodes need it. Reads, stops and destructions are tried again after a 429, a 5xx or a connection that was
 *  cut; a creation only after a 429, which makes nothing. Throws {@link VastaiRefused}, or ScalerError `platform_away` where no answer came. */
export class VastaiClient {
  readonly #options: VastaiClientOptions;

  constructor(options: VastaiClientOptions) {
    this.#options = options;
  }

  /** Offers that pass vast.ai's own filter; one that can't be read is left out. */
  async search(filter: Readonly<Record<string, unknown>>): Promise<readonly VastaiOffer[]> {
    const { offers } = await this.#call("POST", "/api/v0/bundles/", filter, VastaiOffers, retriedReads);
    return offers.flatMap((offer) => VastaiOffer.safeParse(offer).data ?? []);
  }

  /** Rents an offer and returns the instance's number. */
  async rent(offerId: string, order: Readonly<Record<string, unknown>>): Promise<number> {
    const path = `/api/v0/asks/${encodeURIComponent(offerId)}/`;
    return (await this.#call("PUT", path, order, VastaiContract, retriedCreations)).new_contract;
  }

  /** Every instance of the account, page by page. */
  async instances(): Promise<readonly VastaiInstance[]> {
    const all: VastaiInstance[] = [];
    let token: string | null = null;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const query = new URLSearchParams({ limit: String(PAGE_SIZE), ...(token !== null && { after_token: token }) });
      const answer: z.infer<typeof VastaiInstancePage> = await this.#call(
        "GET",
        `/api/v1/instances/?${query}`,
        null,
        VastaiInstancePage,
        retriedReads,
      );
      all.push(...answer.instances);
      if (!answer.next_token) return all;
      token = answer.next_token;
    }
    throw new ScalerError("platform_refused", `vast.ai's list of instances has more than ${PAGES_MAX} pages.`);
  }

  /** Tells an instance to stop; one that is gone is fine. */
  async stop(instanceId: string): Promise<void> {
    await this.#unlessGone("PUT", instanceId, { state: "stopped" });
  }

  /** Asks for its destruction, which takes a while; one that is gone is fine. */
  async destroy(instanceId: string): Promise<void> {
    await this.#unlessGone("DELETE", instanceId, null);
  }

  async #unlessGone(method: string, instanceId: string, body: unknown): Promise<void> {
    try {
      await this.#call(method, `/api/v0/instances/${encodeURIComponent(instanceId)}/`, body, null, retriedReads);
    } catch (error) {
      if (!(error instanceof VastaiRefused && error.status === 404)) throw error;
    }
  }

  async #call<T>(
    method: string,
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    retried: (answer: Answer) => boolean,
  ): Promise<T>;
  async #call(
    method: string,
    path: string,
    body: unknown,
    schema: null,
    retried: (answer: Answer) => boolean,
  ): Promise<void>;
  async #call<T>(
    method: string,
    path: string,
    body: unknown,
    schema: z.ZodType<T> | null,
    retried: (answer: Answer) => boolean,
  ): Promise<T | undefined> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#send(method, path, body);
      if (answer.type === "answered" && answer.status >= 200 && answer.status < 300)
        return schema ? parseAnswer(schema, answer.text, path) : undefined;
      if (!retried(answer) || tries === TRIES_MAX)
        throw answer.type === "answered" ? new VastaiRefused(answer.status, reasonIn(answer.text)) : answer.error;
      await pause(this.#options.backoffMs * 2 ** (tries - 1) * (0.75 + Math.random() / 2));
    }
  }

  async #send(method: string, path: string, body: unknown): Promise<Answer> {
    try {
      const response = await fetch(new URL(path, this.#options.baseUrl), {
        method,
        headers: {
          authorization: `Bearer ${this.#options.apiKey}`,
          accept: "application/json",
          ...(body !== null && { "content-type": "application/json" }),
        },
        body: body === null ? null : JSON.stringify(body),
        redirect: "error",
        signal: AbortSignal.timeout(CALL_MS),
      });
      return { type: "answered", status: response.status, text: await boundedText(response) };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = cause instanceof Error ? cause.message || cause.name : "no reason given";
      return {
        type: (error as { name?: unknown }).name === "TimeoutError" ? "silent" : "cut",
        error: new ScalerError("platform_away", `vast.ai does not answer: ${why}.`, { cause: error }),
      };
    }
  }
}

function retriedReads(answer: Answer): boolean {
  return answer.type === "answered" ? answer.status === 429 || answer.status >= 500 : answer.type === "cut";
}

function retriedCreations(answer: Answer): boolean {
  return answer.type === "answered" && answer.status === 429;
}

async function boundedText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parseAnswer<T>(schema: z.ZodType<T>, text: string, path: string): T {
  const parsed = schema.safeParse(jsonOrNull(text));
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new ScalerError(
    "platform_away",
    `vast.ai's answer to ${path.split("?")[0]} can't be read${field && ` at ${field}`}.`,
  );
}

/** A refusal's own sentence: its JSON, or plain text as its 429 has. */
function reasonIn(text: string): string {
  const refusal = VastaiRefusal.safeParse(jsonOrNull(text)).data;
  const reason = refusal?.msg ?? refusal?.error ?? (refusal ? "" : text);
  return reason.replace(/\s+/g, " ").trim().slice(0, 200);
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
