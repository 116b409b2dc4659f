/** Links are signed. Those from before have no signature, and open nothing. */
export const SIGNED_LINKS = `
ALTER TABLE links ADD COLUMN uses INTEGER;
ALTER TABLE links ADD COLUMN signature TEXT;
`;
