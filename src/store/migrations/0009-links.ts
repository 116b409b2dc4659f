/** Links that let whoever has them in, by the hash of their secret. */
export const LINKS = `
CREATE TABLE links (
  key TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  host TEXT NOT NULL,
  scope TEXT NOT NULL,
  target TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  uses_left INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
`;
