import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";

/** Where a server listens, and the end of it. */
export interface Listening {
  readonly port: number;
  /** Addresses as people write them, such as `127.0.0.1:8080`. */
  readonly addresses: readonly string[];
  /** No new connections; open ones are their owners' matter. */
  close(): void;
}

/** Listens on `host`, or on both loopbacks where it is null: `localhost` is either of them, by the caller's system.
 *  Rejects where the port is taken. A machine without IPv6 has one loopback. */
export async function listen(http: HttpServer, port: number, host: string | null): Promise<Listening> {
  http.listen(port, host ?? "127.0.0.1");
  await once(http, "listening");
  const main = http.address() as AddressInfo;
  const addresses = [written(main)];
  let second: Server | null = null;
  if (host === null) {
    second = createServer((socket) => http.emit("connection", socket));
    try {
      second.listen(main.port, "::1");
      await once(second, "listening");
      addresses.push(written(second.address() as AddressInfo));
    } catch (error) {
      second = null;
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "EADDRNOTAVAIL" && code !== "EAFNOSUPPORT" && port !== 0) {
        http.close();
        throw error;
      }
    }
  }
  return {
    port: main.port,
    addresses,
    close: () => {
      second?.close();
      http.close();
    },
  };
}

/** What the system says of an address or a port that it does not give. */
const REFUSALS: Readonly<Record<string, readonly string[]>> = {
  listen: ["EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"],
  // A host name that leads nowhere.
  getaddrinfo: ["ENOTFOUND", "EAI_AGAIN"],
};

/** Whether an error says that the system gives no such address or port. A file that may not be written has the same code as a port. */
export function isAddressRefused(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return REFUSALS[syscall ?? ""]?.includes(code ?? "") ?? false;
}

function written({ address, port }: AddressInfo): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
