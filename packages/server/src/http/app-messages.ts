import { IncomingMessage, type RequestListener, ServerResponse } from "node:http";
import type { Express } from "express";

/** Classes for a server's requests and responses that have the prototypes of its Express app from the start. Otherwise Express changes the
 *  prototype of each one, which makes V8 look up every field anew wherever Node writes it: a fifth of the cost of a task. */
export class AppMessages {
  /** For `createServer`. Node calls both with `new`; neither is a class, whose prototype could not be set later. */
  readonly IncomingMessage = function (this: IncomingMessage, ...args: ConstructorParameters<typeof IncomingMessage>) {
    IncomingMessage.call(this, ...args);
  } as unknown as typeof IncomingMessage;
  readonly ServerResponse = function (this: ServerResponse, ...args: ConstructorParameters<typeof ServerResponse>) {
    ServerResponse.call(this, ...args);
  } as unknown as typeof ServerResponse;

  constructor() {
    // From the ancestors V8 learns how many fields to make room for. Without them, responses become dictionaries.
    Object.setPrototypeOf(this.IncomingMessage, IncomingMessage);
    Object.setPrototypeOf(this.ServerResponse, ServerResponse);
  }

  /** Sets the app that handles all requests. Call it before the first request. */
  belongTo(app: Express): RequestListener {
    Object.assign(this.IncomingMessage, { prototype: app.request });
    Object.assign(this.ServerResponse, { prototype: app.response });
    return app;
  }
}
