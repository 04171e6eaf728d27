import { createHmac } from "node:crypto";

/** A JWT of the user, signed with the secret, good for a day. */
export function hs256Token(userId: string, secret: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1_000) + 86_400;
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: userId, exp })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
