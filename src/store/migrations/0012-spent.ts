/** What works once, by its hash, until it is too old to work anyway. */
export const SPENT = `
CREATE TABLE spent (
  use TEXT NOT NULL,
  key TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (use, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_until ON spent (until);
`;
