/**
 * Notices a browser that comes back again and again although it was signed in each time. The count
 * lives in a short-lived cookie of the sign-in host. Tabs opened at once are no loop: a round counts
 * only when its ticket was made after the last hand-off to the same address.
 */
import { hash } from 'node:crypto';

const WINDOW_MS = 60_000;
const MAX_ROUNDS = 3;
const MAX_ADDRESSES = 8;
const ENTRY = /^([A-Za-z0-9_-]{10})\.(\d{1,3})\.(\d{1,15})\.(\d{1,15})$/;

interface Entry {
  readonly address: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface Round {
  readonly isLoop: boolean;
  /** The cookie's new value; "" removes it. */
  readonly cookie: string;
}

export const ROUNDS_LIFETIME_MS: number = WINDOW_MS;

export function countRound(cookie: string | null, address: string, issuedAt: number, now: number): Round {
  const id = hash('sha256', address, 'base64url').slice(0, 10);
  const entries = (cookie ?? '').split('~').flatMap((text) => readEntry(text, now) ?? []);
  const others = entries.filter((entry) => entry.address !== id);
  const before = entries.find((entry) => entry.address === id);
  const isAnother = before === undefined || issuedAt >= before.lastAt;
  const count = (before?.count ?? 0) + (isAnother ? 1 : 0);
  if (count > MAX_ROUNDS) return { isLoop: true, cookie: print(others) };
  const entry = { address: id, count, firstAt: before?.firstAt ?? now, lastAt: now };
  return { isLoop: false, cookie: print([entry, ...others].slice(0, MAX_ADDRESSES)) };
}

function readEntry(text: string, now: number): Entry | null {
  const [, address = '', count, first, last] = ENTRY.exec(text) ?? [];
  const entry = { address, count: Number(count), firstAt: Number(first), lastAt: Number(last) };
  const isRecent = entry.firstAt <= now && now - entry.firstAt < WINDOW_MS && entry.lastAt <= now;
  return address !== '' && isRecent ? entry : null;
}

function print(entries: readonly Entry[]): string {
  return entries.map((it) => `${it.address}.${it.count}.${it.firstAt}.${it.lastAt}`).join('~');
}
