/**
 * Takes over certificates and accounts of another ACME client, so that a move issues nothing anew. What is there
 * already stays; the same call twice changes nothing the second time.
 */
import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { KNOWN_CAS } from '../config/presets/acme-cas.ts';
import { namesOf } from '../certs/names.ts';
import { UnusableEntry } from '../certs/import/found.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';

export type ImportState = 'imported' | 'known' | 'skipped';

export interface ImportLine {
  readonly place: string;
  readonly state: ImportState;
  readonly names: readonly string[];
  readonly notAfter: number | null;
  /** Why it is skipped, or what people should know. */
  readonly message: string | null;
}

export interface ImportInput {
  readonly certificates: readonly { place: string; chain: string; keyPem: string; directory: string }[];
  readonly accounts: readonly { place: string; directory: string; url: string | null; keyPem: string }[];
  readonly dryRun: boolean;
}

export interface ImportAnswer {
  readonly certificates: readonly ImportLine[];
  readonly accounts: readonly ImportLine[];
  /** The document orders certificates from CAs: only then imported ones are used and renewed. */
  readonly isRenewed: boolean;
}

export type ImportOperations = {
  'cert.import': (input: ImportInput) => Promise<ImportAnswer>;
};

export interface ImportDeps {
  /** Opens it also where the document has no `acme` section. */
  readonly openIssuance: () => Promise<Issuance>;
  readonly isAcmeOn: () => boolean;
}

const inputShape: z.ZodType<ImportInput> = z.object({
  certificates: z.array(z.object({ place: z.string(), chain: z.string(), keyPem: z.string(), directory: z.string() })),
  accounts: z.array(
    z.object({ place: z.string(), directory: z.string(), url: z.string().nullable(), keyPem: z.string() }),
  ),
  dryRun: z.boolean(),
});

export function createImportOperations(deps: ImportDeps): ImportOperations {
  return {
    async 'cert.import'(given) {
      const { certificates, accounts, dryRun } = inputShape.parse(given);
      const issuance = await deps.openIssuance();
      const lines: { certificates: ImportLine[]; accounts: ImportLine[] } = { certificates: [], accounts: [] };
      // Accounts first: whatever is renewed at once should find its own.
      for (const one of accounts) lines.accounts.push(await importAccount(issuance, one, dryRun));
      for (const one of certificates) lines.certificates.push(await importCertificate(issuance, one, dryRun));
      return { ...lines, isRenewed: deps.isAcmeOn() };
    },
  };
}

async function importCertificate(
  issuance: Issuance,
  found: ImportInput['certificates'][number],
  dryRun: boolean,
): Promise<ImportLine> {
  const { place } = found;
  try {
    const { adoptable } = await import('../certs/import/adoptable.ts');
    const stored = adoptable(found, { seal: issuance.storage.seal, now: Date.now(), caName, isForTrials });
    const leaf = new X509Certificate(stored.chain);
    const facts = { place, names: namesOf(leaf), notAfter: leaf.validToDate.getTime() };
    const outcome = await issuance.adopt(stored, dryRun);
    switch (outcome) {
      case 'adopted':
        return { ...facts, state: 'imported', message: null };
      case 'known':
        return { ...facts, state: 'known', message: null };
      case 'better':
        return { ...facts, state: 'skipped', message: 'there is one for the same names that is good for longer' };
      default:
        return { ...facts, state: 'skipped', message: 'an order for its names runs at the moment; try again later' };
    }
  } catch (error) {
    if (!(error instanceof UnusableEntry)) throw error;
    return { place, names: [], notAfter: null, state: 'skipped', message: error.message };
  }
}

async function importAccount(
  issuance: Issuance,
  { place, directory, url, keyPem }: ImportInput['accounts'][number],
  dryRun: boolean,
): Promise<ImportLine> {
  const line = (state: ImportState, message: string | null): ImportLine => {
    return { place: `${place} at ${caName(directory)}`, names: [], notAfter: null, state, message };
  };
  if (isForTrials(directory)) return line('skipped', 'nobody trusts what this CA issues');
  if (KNOWN_CAS.some((ca) => ca.directory === directory && ca.needsEab))
    return line('skipped', 'this CA binds accounts to one with it: give "eab" in the document, and a new one is made');
  const { adoptAccount } = await import('../certs/issuance/adopt.ts');
  const outcome = await adoptAccount({ directory, url, keyPem }, issuance.storage, dryRun);
  if (outcome === 'adopted') return line('imported', null);
  if (outcome === 'known') return line('known', null);
  if (outcome === 'other') return line('skipped', 'Postern has an account of its own with this CA, and keeps that');
  return line('skipped', 'its kind of key is not supported: a new account is made with the first order');
}

function caName(directory: string): string {
  const known = KNOWN_CAS.find((one) => one.directory === directory)?.name;
  return known ?? (URL.canParse(directory) ? new URL(directory).host : directory);
}

function isForTrials(directory: string): boolean {
  return KNOWN_CAS.some((ca) => ca.directory === directory && ca.word.endsWith('-staging'));
}
