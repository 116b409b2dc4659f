/** What one field is in a request, found once for each entry of a table (RFC 9113 sections 8.2 and 8.3). */
import { isFieldValue, isToken } from '../fields.ts';
import { ROLE_UNKNOWN, type TableEntry } from './table-entry.ts';

export const METHOD = 1;
export const SCHEME = 2;
export const PATH = 3;
export const AUTHORITY = 4;
export const PROTOCOL = 5;
export const UNKNOWN_PSEUDO = 6;
/** From here on regular fields. */
export const PLAIN = 7;
export const COOKIE = 8;
export const HOST = 9;
export const LENGTH = 10;
export const TE = 11;
export const EXPECT = 12;
/** From here on fields that make the message malformed. */
export const BAD_NAME = 13;
export const BAD_VALUE = 14;
export const OF_CONNECTION = 15;

const COLON = 58;

const NAMED: ReadonlyMap<string, number> = new Map([
  [':method', METHOD],
  [':scheme', SCHEME],
  [':path', PATH],
  [':authority', AUTHORITY],
  [':protocol', PROTOCOL],
  ['cookie', COOKIE],
  ['host', HOST],
  ['content-length', LENGTH],
  ['te', TE],
  ['expect', EXPECT],
  // Section 8.2.2: fields of one connection make the message malformed.
  ['connection', OF_CONNECTION],
  ['proxy-connection', OF_CONNECTION],
  ['keep-alive', OF_CONNECTION],
  ['transfer-encoding', OF_CONNECTION],
  ['upgrade', OF_CONNECTION],
  ['http2-settings', OF_CONNECTION],
]);

export function roleOf(entry: TableEntry): number {
  return entry.role === ROLE_UNKNOWN ? (entry.role = findRole(entry)) : entry.role;
}

function findRole({ name, value }: TableEntry): number {
  const named = NAMED.get(name);
  if (name.charCodeAt(0) === COLON) return named ?? UNKNOWN_PSEUDO;
  if (named === OF_CONNECTION) return named;
  if (named === undefined && (!isToken(name) || name !== name.toLowerCase())) return BAD_NAME;
  if (!isFieldValue(value)) return BAD_VALUE;
  return named ?? PLAIN;
}
