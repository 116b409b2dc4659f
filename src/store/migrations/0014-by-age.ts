/** What is older than a document that shortened the lifetime allows is looked for at every sweep. */
export const BY_AGE = `
CREATE INDEX sign_ins_created ON sign_ins (created_at);
`;
