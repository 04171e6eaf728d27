import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import { type Authentication, USER_ID_CHARS_MAX } from "./caller.ts";

/** What a JWT comes to; of a good one also when it ends by the wall clock, infinity for never. */
export type JwtVerdict =
  | (Extract<Authentication, { type: "caller" }> & { readonly expiresAtMs: number })
  | Exclude<Authentication, { type: "caller" }>;

/** Tells whose a JWT is. */
export type JwtVerifier = (token: string) => Promise<JwtVerdict>;

export interface JwtVerifierOptions {
  /** Secrets of HS256 tokens: the current one first, older ones while they are replaced. Empty where only public keys count. */
  readonly secrets: readonly string[];
  /** The issuer's public keys, or null. See `createJwks`. */
  readonly jwks: JWTVerifyGetKey | null;
  /** Refuse tokens without `exp`. */
  readonly requireExp: boolean;
  /** Accepted `aud` values; null for any. */
  readonly audience: readonly string[] | null;
  /** Accepted `iss`; null for any. */
  readonly issuer: string | null;
}

/** How far the clocks of an issuer and of this server may be apart, in seconds: `exp` and `nbf` are judged so much kinder. */
const CLOCK_SKEW_S = 60;

const PUBLIC_KEY_ALGORITHMS = ["RS256", "ES256", "EdDSA"];

/** Verifies HS256 tokens under the secret and RS256, ES256 and EdDSA tokens under the issuer's public keys. The algorithm
 *  picks the key and each key allows its own algorithms only, so a public key can never serve as an HMAC secret. */
export function createJwtVerifier(options: JwtVerifierOptions): JwtVerifier {
  // Once, and not with each token, which would cost as much again as to verify it.
  const keys = Promise.all(options.secrets.map(hmacKey));
  const checks: JWTVerifyOptions = {
    clockTolerance: CLOCK_SKEW_S,
    requiredClaims: options.requireExp ? ["sub", "exp"] : ["sub"],
    ...(options.audience === null ? {} : { audience: [...options.audience] }),
    ...(options.issuer === null ? {} : { issuer: options.issuer }),
  };

  async function verifiedPayload(token: string): Promise<JWTPayload> {
    const { alg } = decodeProtectedHeader(token);
    if (options.secrets.length > 0 && alg === "HS256") return await payloadUnderSecrets(token);
    if (options.jwks !== null) {
      return (await jwtVerify(token, options.jwks, { ...checks, algorithms: PUBLIC_KEY_ALGORITHMS })).payload;
    }
    throw new errors.JOSEAlgNotAllowed();
  }

  async function payloadUnderSecrets(token: string): Promise<JWTPayload> {
    let wrongSignature: unknown;
    for (const key of await keys) {
      try {
        return (await jwtVerify(token, key, { ...checks, algorithms: ["HS256"] })).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
        wrongSignature = error;
      }
    }
    throw wrongSignature;
  }

  return async (token) => {
    try {
      const { sub: subject, exp } = await verifiedPayload(token);
      if (typeof subject !== "string" || subject === "" || subject.length > USER_ID_CHARS_MAX) {
        return refused(`the token's sub must be a string of 1 to ${USER_ID_CHARS_MAX} characters`);
      }
      if (/[\p{Cc}\p{Cs}]/u.test(subject)) {
        return refused("the token's sub must be text without control characters");
      }
      const expiresAtMs = exp === undefined ? Number.POSITIVE_INFINITY : (exp + CLOCK_SKEW_S) * 1_000;
      return { type: "caller", caller: { userId: subject, role: "user", anonymous: false }, expiresAtMs };
    } catch (error) {
      if (error instanceof JwksUnavailable) {
        return { type: "unavailable", message: "the issuer's keys cannot be had", retryAfterMs: error.retryAfterMs };
      }
      return refused(reasonOf(error));
    }
  };
}

function hmacKey(secret: string) {
  return crypto.subtle.importKey("raw", new TextEncoder().encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "verify",
  ]);
}

/** The issuer's keys cannot be had, and none are cached. */
export class JwksUnavailable extends Error {
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number, options?: ErrorOptions) {
    super("the issuer's keys cannot be had", options);
    this.name = "JwksUnavailable";
    this.retryAfterMs = retryAfterMs;
  }
}

function refused(message: string): JwtVerdict {
  return { type: "refused", message };
}

/** Says what is wrong, without a word of the token's own content. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "the token has expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === "missing") return `the token has no ${error.claim}`;
    if (error.claim === "nbf") return "the token is not valid yet";
    return `the token's ${error.claim} is not accepted here`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature is wrong";
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token's algorithm is not accepted here";
  if (error instanceof errors.JWKSNoMatchingKey) return "the token is signed with an unknown key";
  return "the token is no valid JWT";
}
