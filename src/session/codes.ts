/**
 * One-time codes: a random text that stands for a value until it is redeemed or too old. Redeeming is
 * one durable compare-and-delete, so of any number of tries one gets the value.
 */
import { sealJson, unsealJson } from './seal.ts';
import { isToken, keyOfToken, mintToken } from './token.ts';
import type { Clock } from '../core/clock.ts';
import type { SessionStore } from '../core/session-store.ts';
import type { SealKey } from './seal.ts';

export interface Codes {
  mintCode(payload: unknown, ttlMs: number): Promise<string>;
  redeemCode(code: string): Promise<unknown>;
}

export interface CodesDeps {
  readonly store: Pick<SessionStore, 'putCode' | 'takeCode'>;
  readonly clock: Clock;
  readonly sealKey: SealKey;
}

export function createCodes(deps: CodesDeps): Codes {
  const { store, clock, sealKey } = deps;
  return {
    async mintCode(payload, ttlMs) {
      const code = mintToken();
      const key = keyOfToken(code);
      await store.putCode(key, sealJson(sealKey, `code/${key}`, payload), clock.now() + ttlMs);
      return code;
    },
    async redeemCode(code) {
      if (!isToken(code)) return null;
      const key = keyOfToken(code);
      const taken = await store.takeCode(key);
      if (taken === null || clock.now() >= taken.expiresAt) return null;
      return unsealJson(sealKey, `code/${key}`, taken.value) ?? null;
    },
  };
}
