/** Which sessions that no table holds (sealed into cookies) count no more. */
export const REVOCATIONS = `
CREATE TABLE revocations (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  signed_in_by INTEGER NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_until ON revocations (until);
`;
