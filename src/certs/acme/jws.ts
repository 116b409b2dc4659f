/**
 * Signed ACME requests (RFC 8555 section 6.2): flattened JWS, the URL and a nonce in what is
 * signed. Keys that are made here sign ES256; ES384 and RS256 are for accounts that other clients made. The account's key names itself by `jwk` until the CA has given it a URL, then by `kid`.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, FlattenedSign, type JWK } from 'jose';

export interface AccountKey {
  readonly alg: 'ES256' | 'ES384' | 'RS256';
  readonly privateKey: KeyObject;
  /** Public members only. */
  readonly jwk: JWK;
  /** RFC 7638, SHA-256. */
  readonly thumbprint: string;
}

export async function accountKeyOf(pem: string): Promise<AccountKey> {
  const privateKey = createPrivateKey(pem);
  const { kty, crv, x, y, n, e } = createPublicKey(privateKey).export({ format: 'jwk' }) as JWK;
  const jwk = (kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y }) as JWK;
  return { alg: algorithmOf(privateKey), privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk, 'sha256') };
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): AccountKey['alg'] {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {};
  if (namedCurve === 'prime256v1') return 'ES256';
  if (namedCurve === 'secp384r1') return 'ES384';
  if (asymmetricKeyType === 'rsa' && modulusLength >= 2048) return 'RS256';
  throw new TypeError(`Cannot sign for an account with a key of type "${namedCurve ?? asymmetricKeyType ?? ''}"`);
}

/** PEM (PKCS #8) of a new P-256 key. */
export function newAccountKeyPem(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

export interface Signer {
  readonly key: AccountKey;
  /** The account's URL; null before there is one, and for what the key alone vouches for. */
  readonly kid: string | null;
}

/** `payload` null: a POST-as-GET (section 6.3), whose payload is empty. */
export async function signRequest(
  { key, kid }: Signer,
  header: { readonly url: string; readonly nonce: string },
  payload: object | null,
): Promise<string> {
  const name = kid === null ? { jwk: key.jwk } : { kid };
  const bytes = payload === null ? new Uint8Array(0) : Buffer.from(JSON.stringify(payload));
  const jws = await new FlattenedSign(bytes)
    .setProtectedHeader({ alg: key.alg, ...name, ...header })
    .sign(key.privateKey);
  return JSON.stringify(jws);
}

/** Section 7.3.4: the account's public key, signed with the MAC key that the CA handed out. */
export async function signBinding(
  eab: { readonly keyId: string; readonly hmacKey: string },
  key: AccountKey,
  url: string,
): Promise<object> {
  return new FlattenedSign(Buffer.from(JSON.stringify(key.jwk)))
    .setProtectedHeader({ alg: 'HS256', kid: eab.keyId, url })
    .sign(Buffer.from(eab.hmacKey, 'base64url'));
}

/** Section 7.3.5: the new key vouches that it wants to take over from the old one. */
export async function signKeyChange(
  account: string,
  keys: { readonly from: AccountKey; readonly to: AccountKey },
  url: string,
): Promise<object> {
  const payload = { account, oldKey: keys.from.jwk };
  return new FlattenedSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: keys.to.alg, jwk: keys.to.jwk, url })
    .sign(keys.to.privateKey);
}

/** Section 8.1. */
export function keyAuthorization(token: string, key: AccountKey): string {
  return `${token}.${key.thumbprint}`;
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
