/**
 * The `state` parameter: "<id><mac>:<redirect>", in base64url as a whole with `encode-state`. The MAC holds
 * the redirect, which the original leaves open to change; the id is held by a cookie of the browser
 * that began (RFC 6749 section 10.12).
 */
import { timingSafeEqual } from 'node:crypto';
import type { FlowKeys } from './keys.ts';
import { hmacText } from './keys.ts';

export interface SignInState {
  readonly id: string;
  readonly redirect: string;
}

export type ReadState =
  | { readonly kind: 'state'; readonly state: SignInState }
  /** Not of the form "x:y". */
  | { readonly kind: 'malformed' }
  /** Not made by us, or changed since. */
  | { readonly kind: 'forged' };

const ID_LENGTH = 22;
const MAC_LENGTH = 22;
const MAX_LENGTH = 16_384;

export function writeState(keys: FlowKeys, { id, redirect }: SignInState, isEncoded: boolean): string {
  const text = `${id}${macOf(keys, id, redirect)}:${redirect}`;
  return isEncoded ? Buffer.from(text, 'latin1').toString('base64url') : text;
}

export function readState(keys: FlowKeys, text: string, isEncoded: boolean): ReadState {
  if (text.length > MAX_LENGTH) return { kind: 'malformed' };
  const plain = isEncoded ? Buffer.from(text, 'base64url').toString('latin1') : text;
  const colon = plain.indexOf(':');
  if (colon === -1) return { kind: 'malformed' };
  const [id, mac, redirect] = [plain.slice(0, ID_LENGTH), plain.slice(ID_LENGTH, colon), plain.slice(colon + 1)];
  if (colon !== ID_LENGTH + MAC_LENGTH || !isSame(mac, macOf(keys, id, redirect))) return { kind: 'forged' };
  return { kind: 'state', state: { id, redirect } };
}

function macOf(keys: FlowKeys, id: string, redirect: string): string {
  return hmacText(keys.state, `${id}:${redirect}`).slice(0, MAC_LENGTH);
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
