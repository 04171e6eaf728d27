import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import { isForwarded } from "../http/is-forwarded.ts";
import { isLoopback } from "../http/is-loopback.ts";
import { tokenHash } from "../identity/api-keys.ts";
import { type Credentials, isNodeKey } from "../identity/credentials.ts";
import { isSameSecret } from "../identity/is-same-secret.ts";

/** What came of a node's credentials. */
export type NodeAuthentication =
  /** `credential` names what it came with (never the token): a node id belongs to the credential that registered it. */
  | {
      readonly ok: true;
      readonly credential: string;
      /** Node ids that it may register; all where absent. */
      readonly allows?: (nodeId: string) => boolean;
    }
  | { readonly ok: false; readonly status: 401 | 403; readonly error: string };

/** Asked before a socket is upgraded. */
export type AuthenticateNode = (request: IncomingMessage) => Promise<NodeAuthentication>;

/** The join token that a node brings: `Authorization: Bearer`, or `?token=` in its URL, which is all that a legacy node can say. */
function joinTokenOf(request: IncomingMessage): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "");
  if (bearer?.[1] !== undefined) return bearer[1];
  const query = request.url?.split("?", 2)[1];
  return query === undefined ? null : new URLSearchParams(query).get("token");
}

/** Nodes with keys of their own, each for its own id, beside those that come in by `shared`, for all other ids. */
export function nodeKeyAuthentication(
  credentials: Pick<Credentials, "nodeOf" | "nodeHasKey">,
  shared: AuthenticateNode,
): AuthenticateNode {
  return async (request) => {
    const token = joinTokenOf(request);
    const key = token === null ? null : credentials.nodeOf(tokenHash(token));
    if (token !== null && key !== null) {
      // Asked again at the register: the key may be revoked by then.
      const allows = (nodeId: string): boolean => credentials.nodeOf(tokenHash(token))?.nodeId === nodeId;
      return { ok: true, credential: `key ${key.credentialId}`, allows };
    }
    // Also where no token is needed: a node whose key was revoked must not come back as one without a key.
    if (token !== null && isNodeKey(token))
      return { ok: false, status: 401, error: "the node's key is revoked or of another server" };
    const authentication = await shared(request);
    if (!authentication.ok) return authentication;
    return { ...authentication, allows: (nodeId) => !credentials.nodeHasKey(nodeId) };
  };
}

/** One join token for every node. Without a token any node may join, from this machine only unless `anywhereWithoutToken`, and not through a
 *  proxy on it; and no web page: a browser on this machine would let any site in the world register as a node. */
export function sharedTokenAuthentication(options: {
  readonly token: string | null;
  readonly anywhereWithoutToken: boolean;
  readonly logger: Pick<Logger, "warn">;
}): AuthenticateNode {
  const { token, anywhereWithoutToken, logger } = options;
  const warned = new Set<string>();
  // Once each: whoever knocks must not fill the log.
  const warnOnce = (warning: string): void => {
    if (!warned.has(warning)) logger.warn(warning);
    warned.add(warning);
  };
  const check = (request: IncomingMessage): NodeAuthentication => {
    if (token !== null) {
      const given = joinTokenOf(request);
      if (given === null) return { ok: false, status: 401, error: "a join token is needed" };
      return isSameSecret(given, token)
        ? { ok: true, credential: "shared token" }
        : { ok: false, status: 401, error: "the join token is wrong" };
    }
    if (!anywhereWithoutToken && !isLoopback(request.socket.remoteAddress)) {
      warnOnce("a node on another machine was refused: set NODE_TOKEN, or NODES_WITHOUT_TOKEN to let in any");
      return {
        ok: false,
        status: 401,
        error: "this server has no NODE_TOKEN, so nodes join from its own machine only",
      };
    }
    if (!anywhereWithoutToken && isForwarded(request)) {
      warnOnce("a node that came through a proxy was refused: set NODE_TOKEN to let nodes in by it");
      return {
        ok: false,
        status: 401,
        error: "this server has no NODE_TOKEN, so nodes join from its own machine only, and not through a proxy",
      };
    }
    const { origin } = request.headers;
    if (origin !== undefined && !isOwnOrigin(origin, request.headers.host)) {
      return { ok: false, status: 403, error: "web pages can't join as nodes" };
    }
    return { ok: true, credential: "none" };
  };
  return (request) => Promise.resolve(check(request));
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
