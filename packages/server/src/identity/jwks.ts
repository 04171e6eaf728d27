import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { createAddressPolicy } from "../egress/address-policy.ts";
import { createEgress } from "../egress/guarded-fetch.ts";
import { JwksUnavailable } from "./jwt-verifier.ts";

/** Least time between two fetches of the keys, in milliseconds: unknown key ids cannot turn us into a hammer. */
const FETCH_PAUSE_MS = 30_000;
/** How long fetched keys are used before they are fetched anew, in milliseconds. */
const FRESH_MS = 600_000;
/** How long a fetch may take, in milliseconds. */
const FETCH_TIMEOUT_MS = 5_000;
/** Longest key set, in bytes. */
const FETCH_BYTES_MAX = 1_048_576;

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** An issuer's public keys by their URL. At most one fetch in 30 s whatever comes, failed ones included; keys that could
 *  not be renewed stay in use. Rejects with `JwksUnavailable` while there are none. */
export function createJwks(url: URL, nowMs: () => number = () => performance.now()): JWTVerifyGetKey {
  let keys: KeySet | null = null;
  let freshUntilMs = Number.NEGATIVE_INFINITY;
  let nextFetchAtMs = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | null = null;

  async function fetchKeys(): Promise<void> {
    nextFetchAtMs = nowMs() + FETCH_PAUSE_MS;
    try {
      const { status, body } = await fetchFrom(url);
      if (status !== 200) throw new Error(`the issuer answered ${status}`);
      keys = createLocalJWKSet(JSON.parse(body.toString("utf8")) as Parameters<typeof createLocalJWKSet>[0]);
      freshUntilMs = nowMs() + FRESH_MS;
    } catch (cause) {
      if (keys === null) throw new JwksUnavailable(FETCH_PAUSE_MS, { cause });
    }
  }

  /** Waits for the fetch that runs, or starts one where the pause is over. */
  async function renew(): Promise<void> {
    if (fetching === null && nowMs() >= nextFetchAtMs) {
      fetching = fetchKeys().finally(() => {
        fetching = null;
      });
    }
    await fetching;
  }

  return async (header, token) => {
    if (nowMs() >= freshUntilMs) await renew();
    if (keys === null) throw new JwksUnavailable(Math.max(1_000, nextFetchAtMs - nowMs()));
    const known: KeySet = keys;
    try {
      return await known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await renew();
      if (keys === known) throw error;
      return await (keys as KeySet)(header, token);
    }
  };
}

/** By the guarded way out, of which the operator has named this one host: it may be an inner one. */
async function fetchFrom(url: URL): Promise<{ readonly status: number; readonly body: Buffer }> {
  const egress = createEgress(createAddressPolicy([url.hostname.replace(/^\[|\]$/g, "")]));
  try {
    return await egress.fetch(url.href, { timeoutMs: FETCH_TIMEOUT_MS, bytesMax: FETCH_BYTES_MAX });
  } finally {
    await egress.close();
  }
}
