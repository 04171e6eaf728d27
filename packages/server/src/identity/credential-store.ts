/** What a credential opens. `api_key`: the API, as its user. `enrolment`: a node's first call, which gets it a key of its own.
 *  `node_key`: the WebSocket, as one node. */
type CredentialKind = "api_key" | "enrolment" | "node_key";

/** A secret that was handed out, by its hash; the secret itself is stored nowhere. */
export interface Credential {
  /** Names it in lists and in revocations; no secret. */
  readonly credentialId: string;
  readonly kind: CredentialKind;
  /** SHA-256 of the secret, lower-case hex. */
  readonly secretHash: string;
  /** Whose it is: a user id, or the node id of a node key. Empty for an enrolment that any node may use. */
  readonly subject: string;
  /** What else is known of it, as JSON. At most 4 096 characters. */
  readonly details: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  /** Of an enrolment; null for as often as one likes until it expires. */
  readonly usesLeft: number | null;
  readonly revokedAtMs: number | null;
  /** Grows with every change of any credential. */
  readonly revision: number;
}

export type NewCredential = Pick<
  Credential,
  "credentialId" | "kind" | "secretHash" | "subject" | "details" | "expiresAtMs" | "usesLeft"
>;

/** Where credentials live. A node id has at most one node key that is not revoked. */
export interface CredentialStore {
  /** `taken`: its id or its secret is known already, or the node has a key. */
  addCredential(credential: NewCredential): Promise<"added" | "taken">;
  /** Spends one use of a live enrolment and adds the node's key, both or neither. */
  redeemEnrolment(enrolmentHash: string, nodeKey: NewCredential): Promise<"redeemed" | "refused" | "taken">;
  /** False where there is none that is live. */
  revokeCredential(credentialId: string): Promise<boolean>;
  /** Those that changed after a revision, in the order of their revisions: a reader that goes on from the last one it saw misses none.
   *  Expired and revoked ones are among them until they are swept. */
  credentialsAfter(revision: number, limit: number): Promise<readonly Credential[]>;
}
