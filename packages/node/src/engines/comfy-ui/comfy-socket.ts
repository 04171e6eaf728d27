import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";
import { ComfyMessage, type ComfyPreview, readPreview } from "./messages.ts";

export interface ComfySocketListener {
  message(message: ComfyMessage): void;
  preview(preview: ComfyPreview): void;
  /** It is gone; the run goes on without it. */
  closed(): void;
}

const OPEN_MS = 10_000;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** One event socket of ComfyUI, under a client id of its own: a second socket of the same id would silence both in the end. */
export class ComfySocket {
  readonly clientId: string;
  readonly #socket: WebSocket;

  private constructor(clientId: string, socket: WebSocket) {
    this.clientId = clientId;
    this.#socket = socket;
  }

  /** Resolves once ComfyUI has greeted, so that no event of a prompt posted afterwards is missed. */
  static open(url: string, listener: ComfySocketListener, signal: AbortSignal): Promise<ComfySocket> {
    const clientId = randomUUID();
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws?clientId=${clientId}`, {
      handshakeTimeout: OPEN_MS,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
    });
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        clearTimeout(timer);
        socket.terminate();
        reject(error);
      };
      const timer = setTimeout(() => fail(new Error("ComfyUI did not greet on its socket")), OPEN_MS);
      const onAbort = (): void => fail(new Error("stopped"));
      signal.addEventListener("abort", onAbort, { once: true });
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
          resolve(new ComfySocket(clientId, socket));
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
  try {
    const parsed = ComfyMessage.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
