import type { ApiKeys } from "./api-keys.ts";
import { tokenHash } from "./api-keys.ts";
import { type Authenticate, TOKEN_CHARS_MAX } from "./caller.ts";
import type { JwtVerifier } from "./jwt-verifier.ts";
import { VerifiedTokens } from "./verified-tokens.ts";

export interface AuthenticatorOptions {
  /** False: any string is a caller's name, and no token is the shared anonymous caller. */
  readonly enforced: boolean;
  readonly apiKeys: ApiKeys;
  readonly verifyJwt: JwtVerifier;
}

/** The authentication of callers: API keys first, then JWTs where they are asked for, then names. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const verifiedTokens = new VerifiedTokens();
  return async (given) => {
    const token = given?.trim() ?? "";
    if (token === "") {
      return options.enforced
        ? { type: "refused", message: "the token is missing" }
        : { type: "caller", caller: { userId: "anonymous", role: "user", anonymous: true } };
    }
    if (token.length > TOKEN_CHARS_MAX) return { type: "refused", message: "the token is too long" };

    const keyHash = tokenHash(token);
    const key = await options.apiKeys.lookup(keyHash);
    if (key !== null) return { type: "caller", caller: { userId: key.userId, role: key.role, anonymous: false } };

    if (!options.enforced) {
      return { type: "caller", caller: { userId: `t_${keyHash}`, role: "user", anonymous: false } };
    }
    const known = verifiedTokens.callerOf(keyHash);
    if (known !== null) return { type: "caller", caller: known };
    const verdict = await options.verifyJwt(token);
    if (verdict.type !== "caller") return verdict;
    verifiedTokens.verified(keyHash, verdict.caller, verdict.expiresAtMs);
    return { type: "caller", caller: verdict.caller };
  };
}
