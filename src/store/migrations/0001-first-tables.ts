/** First tables: accounts, links and audit (durable); sign-ins, cookies and codes (ephemeral). */
export const FIRST_TABLES = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  subject TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  email TEXT,
  groups TEXT NOT NULL,
  password_hash TEXT,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  created_at INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account_links (
  token_hash TEXT PRIMARY KEY,
  subject TEXT NOT NULL REFERENCES accounts (subject) ON DELETE CASCADE,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX account_links_subject ON account_links (subject);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL
) STRICT;

CREATE TABLE sign_ins (
  key TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  subject TEXT NOT NULL,
  provider_session TEXT,
  value TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_person ON sign_ins (provider, subject);
CREATE INDEX sign_ins_provider_session ON sign_ins (provider, provider_session) WHERE provider_session IS NOT NULL;
CREATE INDEX sign_ins_expires ON sign_ins (expires_at);
CREATE INDEX sign_ins_last_seen ON sign_ins (last_seen_at);

CREATE TABLE cookies (
  key TEXT PRIMARY KEY,
  parent TEXT NOT NULL REFERENCES sign_ins (key) ON DELETE CASCADE,
  host TEXT NOT NULL,
  ordinal INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cookies_parent ON cookies (parent, host, ordinal);

CREATE TABLE codes (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_expires ON codes (expires_at);
`;
