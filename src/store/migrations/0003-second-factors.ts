/** Second factors of local accounts: authenticator apps, passkeys, recovery codes. They go with their account. */
export const SECOND_FACTORS = `
CREATE TABLE factors (
  id TEXT PRIMARY KEY,
  subject TEXT NOT NULL REFERENCES accounts (subject) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('totp', 'passkey', 'recovery')),
  handle TEXT UNIQUE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX factors_subject ON factors (subject, created_at);
`;
