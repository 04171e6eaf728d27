import { IncomingMessage, type RequestListener, ServerResponse } from "node:http";
import type { Express } from "express";

/** The classes of a server's requests and answers that are born with the prototypes of its app. Express puts them under those with each
 *  request otherwise, and every place in Node that writes a field of theirs then looks it up anew: a fifth of what a task cost. */
export class AppMessages {
  /** For `createServer`. Node calls both with `new`; neither is a class, whose prototype could not be set later. */
  readonly IncomingMessage = function (this: IncomingMessage, ...args: ConstructorParameters<typeof IncomingMessage>) {
    IncomingMessage.call(this, ...args);
  } as unknown as typeof IncomingMessage;
  readonly ServerResponse = function (this: ServerResponse, ...args: ConstructorParameters<typeof ServerResponse>) {
    ServerResponse.call(this, ...args);
  } as unknown as typeof ServerResponse;

  constructor() {
    // By their ancestors V8 knows how many fields they get. Without, answers outgrow their room and each field is looked up by hash.
    Object.setPrototypeOf(this.IncomingMessage, IncomingMessage);
    Object.setPrototypeOf(this.ServerResponse, ServerResponse);
  }

  /** The app that all requests go to. Before the first of them. */
  belongTo(app: Express): RequestListener {
    Object.assign(this.IncomingMessage, { prototype: app.request });
    Object.assign(this.ServerResponse, { prototype: app.response });
    return app;
  }
}
