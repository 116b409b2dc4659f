/**
 * The credential of a machine in a request: a token of ours as `Bearer` (RFC 6750) or as the password of
 * `Basic` (RFC 7617), an access token of a provider, or the name and password of a service. It stands in Authorization, or, where that
 * one is for the app, in Postern-Authorization. What is not ours by its form is the app's: it passes
 * untouched and is never tried. A token of ours is ours wherever it stands, whole or damaged.
 */
import { readServiceToken } from '../session/service-token.ts';
import { keyOfBearer } from '../session/token.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import { bytesOfBasic, decodeBasic } from './basic.ts';
import type { BasicCredential } from './basic.ts';
import type { BearerIssuers } from './bearer-issuers.ts';

/** Where a request needs both the app's own Authorization and ours. Postern never passes it on. */
const OWN_AUTHORIZATION = 'postern-authorization';
const AUTHORIZATION = 'authorization';
const BEARER = /^bearer +/i;
const BASIC = /^basic(?:[ \t]+|$)/i;

export type Scheme = 'bearer' | 'basic';

interface Found {
  readonly scheme: Scheme;
  /** True where it cannot be meant for the app: one of our tokens, or it stands in our own field. */
  readonly isForUs: boolean;
  readonly removeAuthorization: boolean;
}

export type MachineCredential =
  | { readonly kind: 'none' }
  /** `key`: the token's hash. */
  | (Found & { readonly kind: 'token'; readonly key: string })
  /** An access token that names a provider of the document. */
  | (Found & { readonly kind: 'jwt'; readonly provider: string; readonly token: string; readonly key: string })
  | (Found & { readonly kind: 'basic'; readonly credential: BasicCredential })
  | (Found & { readonly kind: 'malformed' });

const NONE: MachineCredential = { kind: 'none' };

/** What is ours by its form. */
export interface Ours {
  /** What tokens of this installation begin with. */
  readonly prefix: string;
  readonly issuers: BearerIssuers;
}

export function findMachineCredential(headers: HeaderBlock, ours: Ours): MachineCredential {
  const hasOwn = headers.has(OWN_AUTHORIZATION);
  if (!hasOwn && !headers.has(AUTHORIZATION)) return NONE;
  const known = headers.isRemembered ? remembered.get(headers) : undefined;
  if (known?.issuers === ours.issuers) return known.found;
  const found = hasOwn ? readOwnField(headers, ours) : readField(headers, AUTHORIZATION, ours);
  if (headers.isRemembered) remembered.set(headers, { issuers: ours.issuers, found });
  return found;
}

/** Of a header block that comes again and again, so that its token is read and hashed once. */
const remembered = new WeakMap<HeaderBlock, { readonly issuers: BearerIssuers; readonly found: MachineCredential }>();

/** Ours is tried and nothing else. Authorization stays the app's, unless a token of ours stands there too. */
function readOwnField(headers: HeaderBlock, ours: Ours): MachineCredential {
  const found = readField(headers, OWN_AUTHORIZATION, ours);
  const beside = readField(headers, AUTHORIZATION, ours);
  const removeAuthorization = beside.kind !== 'none' && beside.isForUs;
  if (found.kind === 'none') return { kind: 'malformed', scheme: 'bearer', isForUs: true, removeAuthorization };
  return { ...found, isForUs: true, removeAuthorization };
}

/** A field that stands there twice names nobody. */
function readField(headers: HeaderBlock, field: string, ours: Ours): MachineCredential {
  const value = headers.get(field);
  if (value === undefined) return NONE;
  if (headers.count(field) === 1) return readValue(value, ours);
  const all = headers.getAll(field).map((one) => readValue(one, ours));
  const [first] = all.filter((one) => one.kind !== 'none');
  if (first === undefined) return NONE;
  const isForUs = all.some((one) => one.kind !== 'none' && one.isForUs);
  return { kind: 'malformed', scheme: first.scheme, isForUs, removeAuthorization: true };
}

function readValue(value: string, { prefix, issuers }: Ours): MachineCredential {
  if (BASIC.test(value)) return readBasic(value, prefix);
  if (!value.includes(prefix)) return BEARER.test(value) ? readJwt(value.replace(BEARER, '').trim(), issuers) : NONE;
  // A token of ours behind some other word is a mistake, but none that the app should learn of.
  return readToken(BEARER.test(value) ? value.replace(BEARER, '').trim() : '', prefix, 'bearer');
}

function readJwt(token: string, issuers: BearerIssuers): MachineCredential {
  const provider = issuers.providerOf(token);
  if (provider === null) return NONE;
  const found = { scheme: 'bearer', isForUs: true, removeAuthorization: true } as const;
  return { kind: 'jwt', provider, token, key: keyOfBearer(provider, token), ...found };
}

/** The token alone says who it is: whatever stands beside it as a user name counts for nothing. */
function readBasic(value: string, prefix: string): MachineCredential {
  const credential = decodeBasic(value);
  if (credential === null) return readUnreadable(value, prefix);
  const { name, password } = credential;
  if (password.includes(prefix)) return readToken(password, prefix, 'basic');
  if (name.includes(prefix)) return readToken(password === '' ? name : '', prefix, 'basic');
  if (name === '') return { kind: 'malformed', scheme: 'basic', isForUs: false, removeAuthorization: true };
  return { kind: 'basic', scheme: 'basic', credential, isForUs: false, removeAuthorization: true };
}

/** Many a program writes names as ISO 8859-1. Beside a token it counts for nothing what they are, and damaged or not it is ours. */
function readUnreadable(value: string, prefix: string): MachineCredential {
  const { text, isWhole } = bytesOfBasic(value);
  if (!text.includes(prefix)) return { kind: 'malformed', scheme: 'basic', isForUs: false, removeAuthorization: true };
  const colon = text.indexOf(':');
  return readToken(isWhole && colon !== -1 ? text.slice(colon + 1) : '', prefix, 'basic');
}

function readToken(text: string, prefix: string, scheme: Scheme): MachineCredential {
  const read = readServiceToken(text, prefix);
  const found = { scheme, isForUs: true, removeAuthorization: true };
  return read.kind === 'token' ? { kind: 'token', key: read.key, ...found } : { kind: 'malformed', ...found };
}
