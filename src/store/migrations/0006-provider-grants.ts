/** What a sign-in by a provider holds besides: who vouched for it, and a sealed grant that is renewed. Pinned names. */
export const PROVIDER_GRANTS = `
ALTER TABLE sign_ins ADD COLUMN authority TEXT NOT NULL DEFAULT '';
ALTER TABLE sign_ins ADD COLUMN grant_value TEXT;
ALTER TABLE sign_ins ADD COLUMN refresh_at INTEGER;
ALTER TABLE sign_ins ADD COLUMN refreshed_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sign_ins_refresh_at ON sign_ins (refresh_at) WHERE refresh_at IS NOT NULL;
CREATE INDEX sign_ins_authority ON sign_ins (provider, authority);

CREATE TABLE pinned_names (
  provider TEXT NOT NULL,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  pinned_at INTEGER NOT NULL,
  PRIMARY KEY (provider, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX pinned_names_subject ON pinned_names (provider, subject);
`;
