/**
 * A whole session as the text of one cookie, or of several where it is longer than browsers take: JSON, deflated,
 * sealed under a key of the cookie secret (see session-key.ts). Parts carry a tag and their number, so
 * that leftovers of an earlier, longer cookie neither join nor shadow the newer one.
 */
import { randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { sealBytes, unsealBytes } from '../../session/seal.ts';
import { sessionFromData, sessionToData } from './session-data.ts';
import type { SealKey } from '../../session/seal.ts';
import type { AuthSession } from '../auth-session.ts';
import type { OwnCookie } from './own-cookies.ts';

const PURPOSE = 'forward-auth cookie';
/** Tokens of a session are a few kilobytes; a head that brings more has been refused before. */
const MAX_PLAIN_BYTES = 1 << 20;
const MAX_PARTS = 32;
/** More than one candidate is odd already; more than these are not even tried. */
const MAX_CANDIDATES = 4;
const TAG_BYTES = 6;
const PART = /^([A-Za-z0-9_-]{8})\.([1-9]\d?)\.([A-Za-z0-9_-]+)$/;
const WHOLE = /^[A-Za-z0-9_-]{60,}$/;

export interface SealedSession {
  /** The same over every renewal. */
  readonly id: string;
  /** Counts renewals. */
  readonly serial: number;
  /** When the person signed in: the same over every renewal. */
  readonly signedInAt: number;
  readonly session: AuthSession;
}

export function sealSession(key: SealKey, { id, serial, signedInAt, session }: SealedSession): string {
  const plain = JSON.stringify([id, serial, sessionToData(session), signedInAt]);
  return sealBytes(key, PURPOSE, deflateRawSync(plain));
}

/** Null for whatever was not sealed by this key. Never throws. */
export function unsealSession(key: SealKey, text: string): SealedSession | null {
  const bytes = unsealBytes(key, PURPOSE, text);
  if (bytes === null) return null;
  try {
    const plain = inflateRawSync(bytes, { maxOutputLength: MAX_PLAIN_BYTES }).toString('utf8');
    const [id, serial, data, signedInAt] = JSON.parse(plain) as unknown[];
    const session = sessionFromData(data);
    if (session === null || typeof id !== 'string') return null;
    if (typeof serial !== 'number' || typeof signedInAt !== 'number') return null;
    return { id, serial, signedInAt, session };
  } catch {
    return null;
  }
}

/** The text in pieces of this length, each with the tag and the number of all. */
export function splitText(text: string, length: number): string[] {
  const tag = randomBytes(TAG_BYTES).toString('base64url');
  const room = length - tag.length - 4;
  const count = Math.ceil(text.length / room);
  return Array.from({ length: count }, (_, i) => `${tag}.${count}.${text.slice(i * room, (i + 1) * room)}`);
}

/** Every text that the cookies may stand for, whole or joined; null where they are too many to be tried. */
export function candidateTexts(cookies: readonly OwnCookie[]): readonly string[] | null {
  const texts = new Set(cookies.filter((it) => it.part === -1 && WHOLE.test(it.value)).map((it) => it.value));
  const sets = partSets(cookies);
  if (texts.size + sets.size > MAX_CANDIDATES) return null;
  for (const parts of sets.values()) if (!parts.includes('')) texts.add(parts.join(''));
  return [...texts];
}

/** Of each tag and number: its parts in order, "" for those that did not come. */
function partSets(cookies: readonly OwnCookie[]): ReadonlyMap<string, string[]> {
  const sets = new Map<string, string[]>();
  for (const { part, value } of cookies) {
    const [, tag, number, text] = part === -1 ? [] : (PART.exec(value) ?? []);
    if (tag === undefined || text === undefined) continue;
    const count = Number(number);
    if (count > MAX_PARTS || part >= count) continue;
    const set = sets.get(`${tag}.${count}`) ?? Array<string>(count).fill('');
    set[part] = text;
    sets.set(`${tag}.${count}`, set);
  }
  return sets;
}
