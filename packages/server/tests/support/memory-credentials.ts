import type { Credential, CredentialStore, NewCredential } from "../../src/identity/credential-store.ts";

/** Credentials in a map, as the adapters' contract has them. */
export class MemoryCredentials implements CredentialStore {
  readonly #held = new Map<string, Credential>();
  #revision = 0;

  async addCredential(credential: NewCredential): Promise<"added" | "taken"> {
    const taken = [...this.#held.values()].some(
      ({ credentialId, secretHash, kind, subject, revokedAtMs }) =>
        credentialId === credential.credentialId ||
        secretHash === credential.secretHash ||
        (credential.kind === "node_key" &&
          kind === "node_key" &&
          subject === credential.subject &&
          revokedAtMs === null),
    );
    if (taken) return "taken";
    this.#put({ ...credential, createdAtMs: Date.now(), revokedAtMs: null, revision: 0 });
    return "added";
  }

  async redeemEnrolment(enrolmentHash: string, nodeKey: NewCredential): Promise<"redeemed" | "refused" | "taken"> {
    const enrolment = [...this.#held.values()].find(({ secretHash }) => secretHash === enrolmentHash);
    if (enrolment === undefined || enrolment.usesLeft === 0) return "refused";
    if ((await this.addCredential(nodeKey)) === "taken") return "taken";
    this.#put({ ...enrolment, usesLeft: enrolment.usesLeft === null ? null : enrolment.usesLeft - 1 });
    return "redeemed";
  }

  async revokeCredential(credentialId: string): Promise<boolean> {
    const held = this.#held.get(credentialId);
    if (held === undefined || held.revokedAtMs !== null) return false;
    this.#put({ ...held, revokedAtMs: Date.now() });
    return true;
  }

  async credentialsAfter(revision: number, limit: number): Promise<readonly Credential[]> {
    return [...this.#held.values()]
      .filter((credential) => credential.revision > revision)
      .sort((a, b) => a.revision - b.revision)
      .slice(0, limit);
  }

  #put(credential: Credential): void {
    this.#revision += 1;
    this.#held.set(credential.credentialId, { ...credential, revision: this.#revision });
  }
}
