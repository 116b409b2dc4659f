/** What CAs have issued lately, for their limits: the certificates themselves are replaced by the next ones. */
export const ISSUANCE_LOG = `
CREATE TABLE issuance_log (
  certificate TEXT PRIMARY KEY,
  directory TEXT NOT NULL,
  subject TEXT NOT NULL,
  issued_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO issuance_log (certificate, directory, subject, issued_at)
  SELECT id, directory, subject, issued_at FROM issued_certificates;
`;
