import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP link to a database that a test can cut at the worst moment. */
export class TcpProxy {
  readonly #server: Server;
  readonly #links = new Set<{ readonly near: Socket; readonly far: Socket }>();
  readonly url: string;
  /** `pass` lets everything through, `refuse` closes new connections, `swallow` keeps them open and answers nothing. */
  mode: "pass" | "refuse" | "swallow" = "pass";
  #cutAfter: string | null = null;
  /** How often an armed cut has happened. */
  cuts = 0;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async before(url: string): Promise<TcpProxy> {
    const target = new URL(url);
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("A listening server has a port.");
    const near = new URL(url);
    near.port = String(address.port);
    const proxy = new TcpProxy(server, near.href);
    server.on("connection", (socket) => proxy.#link(socket, Number(target.port), target.hostname));
    return proxy;
  }

  /** Cuts every link once a request that contains `text` has been answered, and before the answer gets through. */
  cutAfter(text: string): void {
    this.#cutAfter = text;
  }

  cut(): void {
    for (const { near, far } of this.#links) {
      near.destroy();
      far.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #link(near: Socket, port: number, host: string): void {
    if (this.mode === "refuse") {
      near.destroy();
      return;
    }
    const far = connect(port, host);
    const link = { near, far };
    this.#links.add(link);
    let armed = false;
    near.on("data", (chunk) => {
      if (this.#cutAfter !== null && chunk.includes(this.#cutAfter)) armed = true;
      if (this.mode !== "swallow") far.write(chunk);
    });
    far.on("data", (chunk) => {
      if (armed) {
        this.#cutAfter = null;
        this.cuts += 1;
        this.cut();
      } else if (this.mode !== "swallow") near.write(chunk);
    });
    const end = () => {
      this.#links.delete(link);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("close", end).on("error", end);
  }
}
