/** The accounts with CAs, as an operator sees them: their URLs, a new key, and the end of one. */
import { KNOWN_CAS } from '../config/presets/acme-cas.ts';
import { refusal } from './refusal.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { AcmeCa } from '../certs/issuance/wanted.ts';

export interface AccountLine {
  readonly ca: string;
  readonly directory: string;
  /** Null before the first order there. */
  readonly url: string | null;
}

export type AccountOperations = {
  'cert.accounts': () => Promise<readonly AccountLine[]>;
  'cert.rotate-account-key': (input: { ca?: string }) => Promise<{ ca: string }>;
  'cert.deactivate-account': (input: { ca?: string }) => Promise<{ ca: string }>;
};

/** `issuance` is null while no document had an `acme` section. */
export function createAccountOperations(issuance: () => Issuance | null): AccountOperations {
  const opened = (): Issuance => {
    const current = issuance();
    if (current === null) throw refusal('Cannot look at accounts: the document has no "acme" section');
    return current;
  };
  return {
    async 'cert.accounts'() {
      const current = opened();
      const lines = current.cas.map(async (ca) => {
        return { ca: ca.name, directory: ca.directory, url: await current.accountUrl(ca) };
      });
      return Promise.all(lines);
    },
    async 'cert.rotate-account-key'({ ca }) {
      const chosen = chooseCa(opened(), ca);
      await opened().rotateAccountKey(chosen);
      return { ca: chosen.name };
    },
    async 'cert.deactivate-account'({ ca }) {
      const chosen = chooseCa(opened(), ca);
      await opened().deactivateAccount(chosen);
      return { ca: chosen.name };
    },
  };
}

/** By its word, its name or its directory; the only one need not be named. */
function chooseCa(issuance: Issuance, text: string | undefined): AcmeCa {
  const word = KNOWN_CAS.find((one) => one.word === text)?.directory;
  const found = issuance.cas.filter((ca) => text === undefined || ca.name === text || ca.directory === (word ?? text));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const names = issuance.cas.map((ca) => `"${ca.name}"`).join(', ');
  throw refusal(`Cannot tell which CA is meant: the document names ${names === '' ? 'none' : names}`);
}
