/**
 * Reads Traefik's acme.json: for each resolver an account and certificates, all in base64. The file does not say which
 * CA a resolver used; the account's URL tells for CAs that are known, else the operator does.
 */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { Gathering, UnusableEntry, type Found } from './found.ts';

const certificateShape = z.object({
  domain: z.object({ main: z.string().optional(), sans: z.array(z.string()).nullish() }).optional(),
  certificate: z.string(),
  key: z.string(),
});
const resolverShape = z.object({
  Account: z
    .object({
      Registration: z.object({ uri: z.string().optional() }).nullish(),
      PrivateKey: z.string().nullish(),
    })
    .nullish(),
  Certificates: z.array(z.unknown()).nullish(),
});

export function isTraefikFile(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return false;
    return Object.values(parsed).some(
      (one) => resolverShape.safeParse(one).success && 'Certificates' in (one as object),
    );
  } catch {
    return false;
  }
}

/** `directoryFor`: of the CA that an account's URL belongs to; null where it is not known. */
export function readTraefik(file: string, directoryFor: (accountUrl: string) => string | null): Found {
  const found = new Gathering();
  const all = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  for (const [name, value] of Object.entries(all)) {
    found.try(`resolver ${name}`, () => readResolver({ name, value, directoryFor }, found));
  }
  return found;
}

interface Resolver {
  readonly name: string;
  readonly value: unknown;
  readonly directoryFor: (accountUrl: string) => string | null;
}

function readResolver({ name, value, directoryFor }: Resolver, found: Gathering): void {
  const parsed = resolverShape.safeParse(value);
  if (!parsed.success) throw new UnusableEntry('it is not as Traefik writes it');
  const { Account: account, Certificates: certificates } = parsed.data;
  const url = account?.Registration?.uri ?? null;
  const directory = directoryFor(url ?? '');
  if (directory === null)
    throw new UnusableEntry(
      `the file does not say what CA it used (account ${url ?? 'without a URL'}): name it with --ca URL`,
    );
  for (const [index, one] of (certificates ?? []).entries()) {
    const names = certificateShape.safeParse(one);
    const place = `resolver ${name}, ${names.success ? (names.data.domain?.main ?? `certificate ${index + 1}`) : `certificate ${index + 1}`}`;
    found.try(place, () => {
      if (!names.success) throw new UnusableEntry('it is not as Traefik writes it');
      const text = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
      const { certificate, key } = names.data;
      found.certificates.push({ place, directory, chain: text(certificate), keyPem: text(key) });
    });
  }
  const key = account?.PrivateKey ?? null;
  if (key === null || key === '') return;
  const place = `resolver ${name}, account`;
  found.try(
    place,
    () => void found.accounts.push({ place, directory, url, keyPem: pemOf(Buffer.from(key, 'base64')) }),
  );
}

function pemOf(key: Buffer): string {
  for (const type of ['pkcs1', 'sec1', 'pkcs8'] as const) {
    try {
      return createPrivateKey({ key, format: 'der', type }).export({ type: 'pkcs8', format: 'pem' }).toString();
    } catch {
      // Another encoding.
    }
  }
  throw new UnusableEntry('its key does not parse');
}
