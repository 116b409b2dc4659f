/** Grants that are due are looked for provider by provider: while one is away, the others' must not stand behind its. */
export const DUE_BY_PROVIDER = `
DROP INDEX sign_ins_refresh_at;
CREATE INDEX sign_ins_due ON sign_ins (provider, refresh_at) WHERE refresh_at IS NOT NULL;
`;
