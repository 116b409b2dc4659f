/** Certificates from CAs: what was issued, orders under way with their locks, accounts, TXT records to be removed. */
export const ISSUANCE_TABLES = `
CREATE TABLE issued_certificates (
  id TEXT PRIMARY KEY,
  subject TEXT NOT NULL,
  directory TEXT NOT NULL,
  chain TEXT NOT NULL,
  sealed_key TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  revoked_at INTEGER,
  renewal TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX issued_certificates_subject ON issued_certificates (subject);

CREATE TABLE certificate_orders (
  subject TEXT PRIMARY KEY,
  fence INTEGER NOT NULL,
  holder TEXT,
  lease_until INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE order_fences (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL) STRICT;
INSERT INTO order_fences (id, last) VALUES (1, 0);

CREATE TABLE acme_accounts (
  directory TEXT NOT NULL,
  binding TEXT NOT NULL,
  url TEXT,
  sealed_key TEXT NOT NULL,
  PRIMARY KEY (directory, binding)
) STRICT, WITHOUT ROWID;

CREATE TABLE txt_records (
  provider TEXT NOT NULL,
  fqdn TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (provider, fqdn, value)
) STRICT, WITHOUT ROWID;
`;
