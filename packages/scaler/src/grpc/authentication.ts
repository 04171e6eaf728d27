import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { Authenticator } from "./authenticator.ts";
import { toServiceError } from "./status.ts";

/** Rejects calls of the service at `pathPrefix` without a valid token, by their headers alone. Otherwise anyone could make the scaler hold messages
 *  of 4 MiB on any number of streams. Other services, such as health, need no token. */
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
