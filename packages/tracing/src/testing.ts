import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";

const Value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
]);
const Attribute = z.object({ key: z.string(), value: Value.nullable().catch(null) });
const Attributes = z
  .array(Attribute)
  .default([])
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, value])));

/** The body of a request to `/v1/traces`, as OTLP/HTTP has it in JSON; what a test needs of it. */
const ExportRequest = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().default(""),
              name: z.string(),
              kind: z.number(),
              attributes: Attributes,
              status: z.object({ code: z.number().default(0), message: z.string().default("") }).default({
                code: 0,
                message: "",
              }),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A span as a collector has it. */
export interface CollectedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the root of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean | null>>;
  readonly status: { readonly code: number; readonly message: string };
}

/** A collector of traces on loopback, for tests: takes OTLP over HTTP in JSON and keeps what came. */
export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  /** Every body as it came, to look for what must not be in it. */
  readonly bodies: string[] = [];
  /** What it answers; anything but 200 is a collector that does not work. */
  status = 200;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on("request", (request, response) => {
      void text(request).then((body) => {
        if (collector.status === 200 && request.url === "/v1/traces") collector.#take(body);
        response.writeHead(collector.status, { "content-type": "application/json" }).end("{}");
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return collector;
  }

  /** Resolves once so many spans have come; the test's own limit ends a wait in vain. */
  async until(count: number): Promise<void> {
    while (this.spans.length < count) await setTimeout(10);
  }

  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #take(body: string): void {
    this.bodies.push(body);
    for (const { resource, scopeSpans } of ExportRequest.parse(JSON.parse(body)).resourceSpans) {
      const service = String(resource.attributes["service.name"]);
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => ({ service, ...span })));
    }
  }
}
