import type { V2ApiKey, V2Operations } from "@genai/protocol";
import type { ApiKey } from "../../identity/credentials.ts";
import { fieldRefusal, HttpRefusal } from "../http-refusal.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";
import { instant } from "./v2-view.ts";

/** Keys that one list shows. */
const KEYS_MAX = 1_000;
/** What tells a secret must not be kept by a cache on its way. */
const UNCACHED = { "Cache-Control": "no-store" } as const;

export function createKey({ options }: V2Context): OperationHandler<V2Operations["createKey"]> {
  return async ({ body }) => {
    const { user, expiresAt, name, role, weight = null, queuedMax = null, runningMax = null } = body;
    const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
    if (expiresAtMs !== null && expiresAtMs <= options.wallMs()) {
      throw fieldRefusal("expiresAt", "must be in the future");
    }
    const details = { name, role, weight, queuedMax, runningMax };
    const { key, secret } = await options.credentials.createApiKey(user, details, expiresAtMs);
    return { status: 201, body: { key: keyView(key), secret }, headers: UNCACHED };
  };
}

export function listKeys({ options }: V2Context): OperationHandler<V2Operations["listKeys"]> {
  return async () => ({ status: 200, body: { keys: options.credentials.apiKeys(KEYS_MAX).map(keyView) } });
}

export function revokeKey({ options }: V2Context): OperationHandler<V2Operations["revokeKey"]> {
  return async ({ params }) => {
    if (!(await options.credentials.revokeApiKey(params.keyId))) throw new HttpRefusal("key_not_found");
    return { status: 204, body: null };
  };
}

export function createEnrolment({ options }: V2Context): OperationHandler<V2Operations["createEnrolment"]> {
  return async ({ body: { nodeId = null, uses, validForMs } }) => {
    const expiresAtMs = options.wallMs() + validForMs;
    const { enrolmentId, token } = await options.credentials.createEnrolment({ nodeId, uses, expiresAtMs });
    const body = { id: enrolmentId, token, uses, expiresAt: instant(expiresAtMs) };
    return { status: 201, body, headers: UNCACHED };
  };
}

export function enrolNode({ options }: V2Context): OperationHandler<V2Operations["enrolNode"]> {
  return async ({ body: { token, nodeId } }) => {
    const outcome = await options.credentials.enrol(token, nodeId);
    if (outcome === "taken") throw new HttpRefusal("node_has_a_key");
    if (outcome === "refused")
      throw new HttpRefusal("unauthenticated", { detail: "the enrolment token is not good here" });
    return { status: 201, body: { nodeId, key: outcome.key }, headers: UNCACHED };
  };
}

export function revokeNodeKey({ options }: V2Context): OperationHandler<V2Operations["revokeNodeKey"]> {
  return async ({ params }) => {
    if (!(await options.credentials.revokeNodeKey(params.nodeId))) throw new HttpRefusal("key_not_found");
    return { status: 204, body: null };
  };
}

function keyView(key: ApiKey): V2ApiKey {
  const { keyId, name, userId, role, weight, queuedMax, runningMax, createdAtMs, expiresAtMs, revokedAtMs } = key;
  return {
    id: keyId,
    name,
    user: userId,
    role,
    weight,
    queuedMax,
    runningMax,
    createdAt: instant(createdAtMs),
    expiresAt: expiresAtMs === null ? null : instant(expiresAtMs),
    revokedAt: revokedAtMs === null ? null : instant(revokedAtMs),
  };
}
