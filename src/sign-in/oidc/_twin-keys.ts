/** Keys of the twin, and JWTs by them: by the right algorithm, by none, or by a public key taken for a secret. */
import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export type Claims = Record<string, unknown>;
export type Header = Record<string, unknown>;

export interface TwinKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function makeKey(kid: string): TwinKey {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
}

export function jwkOf({ kid, publicKey }: TwinKey): unknown {
  return { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

export function signJwt(claims: Claims, header: Header, key: TwinKey): string {
  const full = { alg: 'RS256', typ: 'JWT', kid: key.kid, ...header };
  const input = `${encode(full)}.${encode(claims)}`;
  if (full.alg === 'none') return `${input}.`;
  if (full.alg === 'HS256') {
    const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
  }
  return `${input}.${signBytes('sha256', Buffer.from(input), key.privateKey).toString('base64url')}`;
}
