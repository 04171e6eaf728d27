import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { Authenticator } from "./authenticator.ts";
import { toServiceError } from "./status.ts";

/** Turns away calls of the service at `pathPrefix` that show no token, by their headers alone: who is a stranger must not get a message
 *  of 4 MiB held for him, on as many streams as he likes. Other services, as health, ask for none. */
export function authentication(authenticator: Authenticator, pathPrefix: string): ServerInterceptor {
  return ({ path }, call) => {
    if (!path.startsWith(pathPrefix)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, hearMetadata) => {
            try {
              authenticator.check(metadata);
            } catch (error) {
              call.sendStatus(toServiceError(error));
              return;
            }
            hearMetadata(metadata);
          },
        }),
    });
  };
}
