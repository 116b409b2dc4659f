/** What another ACME client has left behind, as its folder says. Read only: nothing of it is ever changed. */

export interface FoundCertificate {
  /** Where it stands, for people. */
  readonly place: string;
  /** PEM, leaf first as a rule. */
  readonly chain: string;
  readonly keyPem: string;
  /** URL of the CA's directory. */
  readonly directory: string;
}

export interface FoundAccount {
  readonly place: string;
  readonly directory: string;
  /** Of the account at the CA; null where the folder does not say. */
  readonly url: string | null;
  readonly keyPem: string;
}

export interface Unusable {
  readonly place: string;
  readonly reason: string;
}

export interface Found {
  readonly certificates: readonly FoundCertificate[];
  readonly accounts: readonly FoundAccount[];
  readonly unusable: readonly Unusable[];
}

/** Gathers what is found; an entry that throws is named with its reason, and the others go on. */
export class Gathering implements Found {
  readonly certificates: FoundCertificate[] = [];
  readonly accounts: FoundAccount[] = [];
  readonly unusable: Unusable[] = [];

  try(place: string, read: () => void): void {
    try {
      read();
    } catch (error) {
      this.unusable.push({ place, reason: reasonOf(error) });
    }
  }
}

/** Why an entry is of no use, in words for people. */
export class UnusableEntry extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof UnusableEntry) return error.message;
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `"${path ?? ''}" is missing`;
  if (code === 'EACCES' || code === 'EPERM')
    return `"${path ?? ''}" may not be read by this user: run this as its owner`;
  return message;
}
