/** Columns of a `Credential`, named as its fields. */
export const CREDENTIAL_COLUMNS = `credential_id AS "credentialId", kind, secret_hash AS "secretHash", subject, details,
  created_at_ms AS "createdAtMs", expires_at_ms AS "expiresAtMs", uses_left AS "usesLeft", revoked_at_ms AS "revokedAtMs", revision`;
