import type { Logger } from "pino";
import { type Configuration, ConfigurationError } from "../configuration/configuration.ts";
import type { HomeSecrets } from "../configuration/home-secrets.ts";
import { tokenHash } from "./api-keys.ts";
import { createAuthenticator } from "./authenticator.ts";
import type { Authenticate } from "./caller.ts";
import type { Credentials } from "./credentials.ts";
import type { JwtVerifier } from "./jwt-verifier.ts";

/** An HS256 secret shorter than its hash can be guessed from one token (RFC 7518, 3.2). */
const SECRET_BYTES_MIN = 32;

/** Secrets of examples and tutorials, Supabase's own for one: everybody knows them. In lower case. */
const KNOWN_SECRETS = new Set([
  "super-secret-jwt-token-with-at-least-32-characters-long",
  "your-256-bit-secret",
  "your-super-secret-jwt-token-with-at-least-32-characters-long",
  "secret",
  "changeme",
  "change-me",
  "password",
  "test",
]);

/** Says what is questionable of the secrets in the log. Throws {@link ConfigurationError} for one that everybody knows, and for one that
 *  is too short to be used beyond loopback. */
export function checkSecrets(configuration: Configuration, logger: Logger): void {
  for (const name of ["JWT_SECRET", "NODE_TOKEN", "METRICS_TOKEN", "WEBHOOK_SECRET"] as const) {
    const given = configuration[name]?.split(",").map((each) => each.trim().toLowerCase()) ?? [];
    if (given.some((each) => KNOWN_SECRETS.has(each)) && !isLoopbackHost(configuration.HOST)) {
      throw new ConfigurationError(`${name} is a secret from an example that everybody knows; make one of your own.`);
    }
  }
  for (const secret of jwtSecrets(configuration)) checkLength(secret, configuration, logger);
  warnOfOpenJoin(configuration, logger);
}

/** Says who may join where no token is asked for. */
function warnOfOpenJoin(configuration: Configuration, logger: Logger): void {
  if (configuration.NODE_TOKEN !== null) return;
  const where = configuration.NODES_WITHOUT_TOKEN ? "from anywhere" : "from this machine";
  logger.warn(`NODE_TOKEN is not set: any node may join ${where}`);
  const signs = (["TRUST_PROXY", "PUBLIC_URL"] as const).filter((name) => configuration[name] !== null);
  if (signs.length === 0) return;
  logger.warn(
    `${signs.join(" and ")} without NODE_TOKEN: if a proxy on this machine hides that it is one (adds no X-Forwarded-For), everybody whom it lets through may join as a node, read prompts and answer with any picture. Set NODE_TOKEN.`,
  );
}

/** Authentication of callers as configured, with what is questionable said in the log. */
export function configuredAuthenticator(
  configuration: Configuration,
  secrets: HomeSecrets,
  credentials: Credentials,
  logger: Logger,
): Authenticate {
  const supabase = configuration.SUPABASE_URL?.replace(/\/+$/, "") ?? null;
  const jwksUrl = configuration.JWKS_URL ?? (supabase === null ? null : `${supabase}/auth/v1/.well-known/jwks.json`);
  const issuer = configuration.JWT_ISSUER ?? (supabase === null ? null : `${supabase}/auth/v1`);
  if (configuration.SUPABASE_KEY !== null) logger.warn("SUPABASE_KEY is set, but not used");
  if (!configuration.ENFORCE_JWT_AUTH) logger.warn("ENFORCE_JWT_AUTH is false: whoever reaches this server may use it");
  const given = jwtSecrets(configuration);
  // Where an issuer signs with its own key, a secret of ours would only be one more way in.
  const made = given.length === 0 && jwksUrl === null ? [secrets.jwtSecret] : [];
  const adminHash = tokenHash(secrets.adminKey);
  return createAuthenticator({
    enforced: configuration.ENFORCE_JWT_AUTH,
    apiKeys: {
      lookup: (hash) =>
        Promise.resolve(hash === adminHash ? { userId: "admin", role: "admin" } : credentials.apiKey(hash)),
    },
    verifyJwt: atFirstUse(async () => {
      const { createJwks } = await import("./jwks.ts");
      const { createJwtVerifier } = await import("./jwt-verifier.ts");
      return createJwtVerifier({
        secrets: [...given, ...made],
        jwks: jwksUrl === null ? null : createJwks(new URL(jwksUrl)),
        requireExp: configuration.JWT_REQUIRE_EXP,
        audience: configuration.JWT_AUDIENCE,
        issuer,
      });
    }),
  });
}

/** A verifier that is made for the first token: its library is a tenth of what a start would load. */
function atFirstUse(make: () => Promise<JwtVerifier>): JwtVerifier {
  let made: Promise<JwtVerifier> | null = null;
  return async (token) => {
    made ??= make();
    return (await made)(token);
  };
}

function jwtSecrets({ JWT_SECRET }: Configuration): readonly string[] {
  return (JWT_SECRET?.split(",") ?? []).map((each) => each.trim()).filter((each) => each !== "");
}

function checkLength(secret: string, configuration: Configuration, logger: Logger): void {
  const bytes = Buffer.byteLength(secret);
  if (bytes >= SECRET_BYTES_MIN) return;
  if (!isLoopbackHost(configuration.HOST) && !configuration.JWT_ALLOW_SHORT_SECRET) {
    throw new ConfigurationError(
      `JWT_SECRET has ${bytes} bytes; beyond loopback it needs ${SECRET_BYTES_MIN} (JWT_ALLOW_SHORT_SECRET=true accepts it all the same).`,
    );
  }
  logger.warn({ bytes }, `JWT_SECRET is short: ${SECRET_BYTES_MIN} bytes are advised`);
}

function isLoopbackHost(host: string | null): boolean {
  return host === null || host === "localhost" || host === "::1" || host.startsWith("127.");
}
