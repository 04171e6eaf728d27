import { randomBytes, randomUUID } from "node:crypto";
import type { UserLimits } from "@genai/dispatcher";
import type { Logger } from "pino";
import { z } from "zod";
import { StoreUnavailable } from "../tasks/task-store.ts";
import { tokenHash } from "./api-keys.ts";
import type { Credential, CredentialStore } from "./credential-store.ts";

/** How often changes by other servers are looked for, in milliseconds. What is revoked there ends here within 2 s. */
const POLL_MS = 1_000;
const PAGE = 1_000;

/** How a secret begins, so that scanners of source code and logs know it for one. */
const PREFIXES = { api_key: "genai_sk_", enrolment: "genai_ne_", node_key: "genai_nk_" } as const;

/** Whether a token has the form of a node's own key, live or not. */
export function isNodeKey(token: string): boolean {
  return token.startsWith(PREFIXES.node_key);
}

const ApiKeyDetails = z.object({
  name: z.string(),
  role: z.enum(["user", "admin"]),
  weight: z.number().nullable(),
  queuedMax: z.number().nullable(),
  runningMax: z.number().nullable(),
});
type ApiKeyDetails = z.infer<typeof ApiKeyDetails>;

/** An API key as administrators see it. */
export interface ApiKey extends ApiKeyDetails, Pick<Credential, "createdAtMs" | "expiresAtMs" | "revokedAtMs"> {
  readonly keyId: string;
  readonly userId: string;
}

export interface CredentialsOptions {
  readonly store: CredentialStore;
  readonly logger: Logger;
  readonly wallMs: () => number;
}

/** Every credential, mirrored from the store: who comes in is looked up in memory, and keeps coming in while the store is away. */
export class Credentials {
  readonly #store: CredentialStore;
  readonly #logger: Logger;
  readonly #wallMs: () => number;
  readonly #byHash = new Map<string, Credential>();
  readonly #nodeKeys = new Map<string, Credential>();
  /** Newest last. */
  readonly #keysOfUser = new Map<string, Credential[]>();
  readonly #keyListeners = new Set<(nodeId: string) => void>();
  /** API keys that nobody was told of yet that they have expired. */
  readonly #expiring = new Map<string, Credential>();
  readonly #userListeners = new Set<(userId: string) => void>();
  #revision = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor({ store, logger, wallMs }: CredentialsOptions) {
    this.#store = store;
    this.#logger = logger;
    this.#wallMs = wallMs;
  }

  /** Reads them all, and goes on looking for changes until it is closed. */
  async start(): Promise<void> {
    await this.refresh();
    const look = async (): Promise<void> => {
      try {
        await this.refresh();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) this.#logger.error({ err: error }, "credentials can't be read");
      }
      if (!this.#closed) this.#timer = setTimeout(() => void look(), POLL_MS);
    };
    this.#timer = setTimeout(() => void look(), POLL_MS);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Takes over what changed since it last looked. */
  async refresh(): Promise<void> {
    this.#tellExpired();
    for (;;) {
      const changed = await this.#store.credentialsAfter(this.#revision, PAGE);
      for (const credential of changed) this.#take(credential);
      if (changed.length < PAGE) return;
    }
  }

  /** Hears of each node that got a key or whose key was revoked: whoever is connected under its id came in by something else. */
  onNodeKeyChanged(listener: (nodeId: string) => void): void {
    this.#keyListeners.add(listener);
  }

  /** Hears of each user who got an API key or lost one, within a second of its expiry: what the user may do may be another. */
  onUserKeysChanged(listener: (userId: string) => void): void {
    this.#userListeners.add(listener);
  }

  /** The live API key with this hash. */
  apiKey(hash: string): ApiKey | null {
    const credential = this.#live(hash, "api_key");
    return credential === null ? null : apiKeyOf(credential);
  }

  /** The node whose live key has this hash. */
  nodeOf(hash: string): { readonly nodeId: string; readonly credentialId: string } | null {
    const credential = this.#live(hash, "node_key");
    return credential === null ? null : { nodeId: credential.subject, credentialId: credential.credentialId };
  }

  /** True where a node id is good with its own key only. */
  nodeHasKey(nodeId: string): boolean {
    return this.#nodeKeys.has(nodeId);
  }

  /** What the user's live keys say of limits: for each the newest key that names it. */
  limitsOf(userId: string): Partial<UserLimits> {
    const limits: { weight?: number; queuedMax?: number; runningMax?: number } = {};
    for (const credential of this.#keysOfUser.get(userId) ?? []) {
      if (!this.#isLive(credential)) continue;
      const { weight, queuedMax, runningMax } = apiKeyOf(credential);
      if (weight !== null) limits.weight = weight;
      if (queuedMax !== null) limits.queuedMax = queuedMax;
      if (runningMax !== null) limits.runningMax = runningMax;
    }
    return limits;
  }

  /** Newest first. */
  apiKeys(limit: number): readonly ApiKey[] {
    return [...this.#byHash.values()]
      .filter(({ kind }) => kind === "api_key")
      .sort((a, b) => b.createdAtMs - a.createdAtMs || b.revision - a.revision)
      .slice(0, limit)
      .map(apiKeyOf);
  }

  /** Makes an API key. The secret is known to the caller alone from here on. */
  async createApiKey(
    userId: string,
    details: ApiKeyDetails,
    expiresAtMs: number | null,
  ): Promise<{ readonly key: ApiKey; readonly secret: string }> {
    const secret = newSecret("api_key");
    await this.#store.addCredential({
      credentialId: randomUUID(),
      kind: "api_key",
      secretHash: tokenHash(secret),
      subject: userId,
      details: JSON.stringify(details),
      expiresAtMs,
      usesLeft: null,
    });
    await this.refresh();
    const credential = this.#byHash.get(tokenHash(secret));
    if (credential === undefined) throw new Error("a key that was added is not there");
    return { key: apiKeyOf(credential), secret };
  }

  /** Makes a token for so many nodes, or for the one named. */
  async createEnrolment(options: {
    readonly nodeId: string | null;
    readonly uses: number;
    readonly expiresAtMs: number;
  }): Promise<{ readonly enrolmentId: string; readonly token: string }> {
    const token = newSecret("enrolment");
    const enrolmentId = randomUUID();
    await this.#store.addCredential({
      credentialId: enrolmentId,
      kind: "enrolment",
      secretHash: tokenHash(token),
      subject: options.nodeId ?? "",
      details: "{}",
      expiresAtMs: options.expiresAtMs,
      usesLeft: options.uses,
    });
    return { enrolmentId, token };
  }

  /** Gives a node its own key for an enrolment token. */
  async enrol(token: string, nodeId: string): Promise<{ readonly key: string } | "refused" | "taken"> {
    await this.refresh();
    const enrolment = this.#live(tokenHash(token), "enrolment");
    if (enrolment === null || (enrolment.subject !== "" && enrolment.subject !== nodeId)) return "refused";
    const key = newSecret("node_key");
    const outcome = await this.#store.redeemEnrolment(enrolment.secretHash, {
      credentialId: randomUUID(),
      kind: "node_key",
      secretHash: tokenHash(key),
      subject: nodeId,
      details: JSON.stringify({ enrolmentId: enrolment.credentialId }),
      expiresAtMs: null,
      usesLeft: null,
    });
    await this.refresh();
    return outcome === "redeemed" ? { key } : outcome;
  }

  /** False where there is no live API key of this id. */
  async revokeApiKey(keyId: string): Promise<boolean> {
    const known = [...this.#byHash.values()].find(
      ({ credentialId, kind }) => credentialId === keyId && kind === "api_key",
    );
    return known !== undefined && (await this.#revoke(known));
  }

  /** False where the node has no key. */
  async revokeNodeKey(nodeId: string): Promise<boolean> {
    const known = this.#nodeKeys.get(nodeId);
    return known !== undefined && (await this.#revoke(known));
  }

  async #revoke({ credentialId }: Credential): Promise<boolean> {
    const revoked = await this.#store.revokeCredential(credentialId);
    await this.refresh();
    return revoked;
  }

  #take(credential: Credential): void {
    this.#revision = Math.max(this.#revision, credential.revision);
    const { secretHash, kind, subject, credentialId } = credential;
    const known = this.#byHash.get(secretHash);
    this.#byHash.set(secretHash, credential);
    if (kind === "api_key") {
      const others = (this.#keysOfUser.get(subject) ?? []).filter((key) => key.credentialId !== credentialId);
      this.#keysOfUser.set(
        subject,
        [...others, credential].sort((a, b) => a.createdAtMs - b.createdAtMs),
      );
      if (this.#isLive(credential) && credential.expiresAtMs !== null) this.#expiring.set(credentialId, credential);
      else this.#expiring.delete(credentialId);
      for (const listener of this.#userListeners) listener(subject);
    }
    if (kind !== "node_key") return;
    if (credential.revokedAtMs === null) this.#nodeKeys.set(subject, credential);
    else if (this.#nodeKeys.get(subject)?.credentialId === credentialId) this.#nodeKeys.delete(subject);
    if (known === undefined || known.revokedAtMs !== credential.revokedAtMs) {
      for (const listener of this.#keyListeners) listener(subject);
    }
  }

  #tellExpired(): void {
    for (const [credentialId, credential] of this.#expiring) {
      if (this.#isLive(credential)) continue;
      this.#expiring.delete(credentialId);
      for (const listener of this.#userListeners) listener(credential.subject);
    }
  }

  #live(hash: string, kind: Credential["kind"]): Credential | null {
    const credential = this.#byHash.get(hash);
    return credential?.kind === kind && this.#isLive(credential) ? credential : null;
  }

  #isLive({ revokedAtMs, expiresAtMs }: Credential): boolean {
    return revokedAtMs === null && (expiresAtMs === null || expiresAtMs > this.#wallMs());
  }
}

function apiKeyOf(credential: Credential): ApiKey {
  const { credentialId, subject, createdAtMs, expiresAtMs, revokedAtMs, details } = credential;
  return {
    ...ApiKeyDetails.parse(JSON.parse(details)),
    keyId: credentialId,
    userId: subject,
    createdAtMs,
    expiresAtMs,
    revokedAtMs,
  };
}

function newSecret(kind: Credential["kind"]): string {
  return `${PREFIXES[kind]}${randomBytes(32).toString("base64url")}`;
}
