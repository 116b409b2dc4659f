/**
 * Names and values of the TXT records by which a CA sees that somebody controls a name: DNS-01 (RFC 8555 section 8.4),
 * DNS-ACCOUNT-01 (draft-ietf-acme-dns-account-label-03) and DNS-PERSIST-01 (draft-ietf-acme-dns-persist-01). Computes,
 * sets nothing. Domains are A-labels in lower case, with `*.` in front for a wildcard.
 */
import { createHash } from 'node:crypto';

export interface ChallengeRecord {
  readonly name: string;
  readonly value: string;
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const ACCOUNT_BYTES = 10;

/** The same record serves a name and its wildcard, so that both orders may want a value there at once. */
export function dns01Record(domain: string, keyAuthorization: string): ChallengeRecord {
  return { name: `_acme-challenge.${baseOf(domain)}`, value: valueOf(keyAuthorization) };
}

/** A label for each account, so that several clients can have delegated the same name each to its own zone. */
export function dnsAccount01Record(domain: string, keyAuthorization: string, accountUrl: string): ChallengeRecord {
  const hash = createHash('sha256').update(accountUrl).digest().subarray(0, ACCOUNT_BYTES);
  return { name: `_${base32(hash)}._acme-challenge.${baseOf(domain)}`, value: valueOf(keyAuthorization) };
}

function baseOf(domain: string): string {
  return domain.startsWith('*.') ? domain.slice(2) : domain;
}

function valueOf(keyAuthorization: string): string {
  return createHash('sha256').update(keyAuthorization).digest('base64url');
}

/** RFC 4648 section 6 in lower case; ten bytes are sixteen characters without padding. */
function base32(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xff_ff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31] ?? '';
  }
  return text;
}

export interface PersistInput {
  readonly domain: string;
  /** Of the challenge; any one of them will do, the first is taken. */
  readonly issuerDomainNames: readonly string[];
  readonly accountUri: string;
  /** Covers wildcards and names below as well. Implied where the domain is a wildcard. */
  readonly coversSubdomains: boolean;
  /** Milliseconds since the epoch; null for no end. */
  readonly persistUntil: number | null;
}

const MOST_ISSUERS = 10;
const ISSUER = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
/** RFC 8659 section 4.2: printable ASCII without space and semicolon. */
const PARAMETER_VALUE = /^[\u0021-\u003A\u003C-\u007E]+$/;

/** The record that stays. Throws RangeError for a challenge that is malformed, as the draft demands. */
export function dnsPersist01Record(input: PersistInput): ChallengeRecord {
  const [issuer, ...others] = input.issuerDomainNames;
  if (issuer === undefined) throw new RangeError('Cannot answer dns-persist-01: the challenge names no issuer');
  if (others.length >= MOST_ISSUERS)
    throw new RangeError('Cannot answer dns-persist-01: the challenge names more than 10 issuers');
  const wrong = input.issuerDomainNames.find((name) => !ISSUER.test(name));
  if (wrong !== undefined)
    throw new RangeError(
      `Cannot answer dns-persist-01: issuer ${JSON.stringify(wrong)} is no domain name in lower case`,
    );
  if (!PARAMETER_VALUE.test(input.accountUri))
    throw new RangeError('Cannot answer dns-persist-01: the account URI cannot stand in a record');
  const isWide = input.coversSubdomains || input.domain.startsWith('*.');
  const until = input.persistUntil === null ? '' : `; persistUntil=${Math.floor(input.persistUntil / 1000)}`;
  const value = `${issuer}; accounturi=${input.accountUri}${isWide ? '; policy=wildcard' : ''}${until}`;
  return { name: `_validation-persist.${baseOf(input.domain)}`, value };
}
