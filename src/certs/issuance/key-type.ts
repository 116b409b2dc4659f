/** Private keys of certificates, by the words of the document. */
import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyType } from './wanted.ts';

/** Beside the thread: RSA with 4096 bits takes a second, and the control thread answers meanwhile. */
const generate = promisify(generateKeyPair);

/** PEM (PKCS #8). */
export async function newKeyPem(keyType: KeyType): Promise<string> {
  const { privateKey } =
    keyType === 'p256' || keyType === 'p384'
      ? await generate('ec', { namedCurve: keyType === 'p256' ? 'P-256' : 'P-384' })
      : await generate('rsa', { modulusLength: keyType === 'rsa2048' ? 2048 : 4096 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Of a private or a public key. */
export function keyTypeOf({ asymmetricKeyDetails }: KeyObject): KeyType | 'other' {
  const { namedCurve, modulusLength } = asymmetricKeyDetails ?? {};
  if (namedCurve === 'prime256v1') return 'p256';
  if (namedCurve === 'secp384r1') return 'p384';
  if (modulusLength === 2048) return 'rsa2048';
  return modulusLength === 4096 ? 'rsa4096' : 'other';
}

export function isOfKind(pem: string, keyType: KeyType): boolean {
  return keyTypeOf(createPrivateKey(pem)) === keyType;
}
