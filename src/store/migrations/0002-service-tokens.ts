/** Tokens of machines: only the SHA-256 of a token is kept. */
export const SERVICE_TOKENS = `
CREATE TABLE service_tokens (
  key TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
`;
