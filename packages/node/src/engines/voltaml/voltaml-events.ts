import { WebSocket } from "ws";
import type { EngineHttp } from "../http-client.ts";
import { jsonOrUndefined } from "../json-or-undefined.ts";
import { VoltaProgress } from "./voltaml-answers.ts";

const OPEN_MS = 5_000;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** VoltaML's event socket while a task runs. Progress is a nicety: without the socket the run goes on. */
export class VoltaEvents {
  readonly #socket: WebSocket;

  /** `told` hears progress from 0 to 1 and the preview, where there is one. */
  constructor(http: EngineHttp, path: string, told: (progress: number, image: string | null) => void) {
    this.#socket = new WebSocket(http.url(path).replace(/^http/, "ws"), {
      handshakeTimeout: OPEN_MS,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      headers: { ...http.headers },
    });
    this.#socket.on("message", (data, isBinary) => {
      if (isBinary) return;
      const progress = VoltaProgress.safeParse(jsonOrUndefined(String(data)));
      if (progress.success) told(progress.data.data.progress / 100, progress.data.data.image ?? null);
    });
    this.#socket.on("error", () => {});
  }

  /** Resolves once it is open, or can't be opened. */
  opened(): Promise<void> {
    return new Promise((resolve) => {
      for (const event of ["open", "close"] as const) this.#socket.once(event, () => resolve());
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}
