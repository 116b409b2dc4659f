/** Certificates that operators brought themselves; keys sealed. */
export const UPLOADED_CERTIFICATES = `
CREATE TABLE uploaded_certificates (
  id TEXT PRIMARY KEY,
  chain TEXT NOT NULL,
  sealed_key TEXT NOT NULL,
  added_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
