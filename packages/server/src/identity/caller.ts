/** Who makes a request, once authenticated. */
export interface Caller {
  /** A JWT's `sub`, an API key's user, `anonymous`, or `t_` and a hash of the token; never the token itself. */
  readonly userId: string;
  /** Administrators see every user's tasks and nodes, and may drain. */
  readonly role: "user" | "admin";
  /** Gave no token where none is asked. */
  readonly anonymous: boolean;
}

/** Longest user id that a token may carry, in characters. */
export const USER_ID_CHARS_MAX = 256;

/** Longest token that is looked at, in characters: no JWT of an honest issuer comes near. */
export const TOKEN_CHARS_MAX = 16_384;

export type Authentication =
  | { readonly type: "caller"; readonly caller: Caller }
  /** The token is missing or bad; `message` says which. */
  | { readonly type: "refused"; readonly message: string }
  /** The issuer's keys cannot be had at present. */
  | { readonly type: "unavailable"; readonly message: string; readonly retryAfterMs: number };

/** Tells who holds a token; null for no token. Never rejects for what a caller sent. */
export type Authenticate = (token: string | null) => Promise<Authentication>;
