/** Keys that assertions are signed with, sealed. */
export const SIGNING_KEYS = `
CREATE TABLE signing_keys (
  kid TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
