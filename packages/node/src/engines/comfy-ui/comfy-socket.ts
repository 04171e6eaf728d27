import { WebSocket } from "ws";
import { EngineHttpError } from "../engine-http-error.ts";
import type { EngineHttp } from "../http-client.ts";
import { jsonOrUndefined } from "../json-or-undefined.ts";
import { ComfyMessage, type ComfyPreview, readPreview } from "./messages.ts";

export interface ComfySocketListener {
  message(message: ComfyMessage): void;
  preview(preview: ComfyPreview): void;
  /** It is gone; the run goes on without it. */
  closed(): void;
}

const OPEN_MS = 8_000;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** One event socket of ComfyUI. Events of a prompt go to the client id that it was posted with, so a run that lost its socket opens the
 *  next one with the same id; two open ones would silence each other, so the old one must be closed by then. */
export class ComfySocket {
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Resolves once ComfyUI has greeted, so that no event of a prompt posted afterwards is missed. */
  static open(
    http: EngineHttp,
    clientId: string,
    listener: ComfySocketListener,
    signal: AbortSignal,
  ): Promise<ComfySocket> {
    const socket = new WebSocket(http.url(`/ws?clientId=${clientId}`).replace(/^http/, "ws"), {
      handshakeTimeout: OPEN_MS,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      headers: { ...http.headers },
    });
    return new Promise((resolve, reject) => {
      const fail = (cause: Error): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        socket.terminate();
        reject(new EngineHttpError(`ComfyUI's event socket can't be had: ${cause.message}.`, "unreachable", { cause }));
      };
      const timer = setTimeout(() => fail(new Error("ComfyUI did not greet on its socket")), OPEN_MS);
      const onAbort = (): void => fail(new Error("stopped"));
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
      let greeted = false;
      // Must be the first text frame; an old server ignores it.
      socket.on("open", () =>
        socket.send(JSON.stringify({ type: "feature_flags", data: { supports_preview_metadata: true } })),
      );
      socket.on("message", (data, isBinary) => {
        if (isBinary) {
          const preview = readPreview(data as Buffer);
          if (preview !== null) listener.preview(preview);
          return;
        }
        const message = readMessage(String(data));
        if (message === null) return;
        if (!greeted && message.type === "status") {
          greeted = true;
          clearTimeout(timer);
          signal.removeEventListener("abort", onAbort);
          resolve(new ComfySocket(socket));
        }
        listener.message(message);
      });
      socket.on("error", (error) => {
        if (!greeted) fail(error);
      });
      socket.on("close", () => {
        if (greeted) listener.closed();
        else fail(new Error("ComfyUI closed its socket"));
      });
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}

function readMessage(text: string): ComfyMessage | null {
  const parsed = ComfyMessage.safeParse(jsonOrUndefined(text));
  return parsed.success ? parsed.data : null;
}
