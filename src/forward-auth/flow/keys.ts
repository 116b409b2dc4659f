/** Keys of the flow, derived from the cookie secret (RFC 5869): nothing else is ever signed or sealed with them. */
import { createHmac, hkdfSync } from 'node:crypto';
import { createSealKey, SEAL_KEY_BYTES, type SealKey } from '../../session/seal.ts';
import type { Secret } from '../settings.ts';

export interface FlowKeys {
  readonly seal: SealKey;
  readonly state: Buffer;
}

/** Read anew each time: the secret may come from a file that changes. */
export function createFlowKeys(secret: Secret): () => FlowKeys {
  let known: { readonly secret: Buffer; readonly keys: FlowKeys } | null = null;
  return () => {
    const bytes = secret.read();
    if (known?.secret.equals(bytes) === true) return known.keys;
    const derive = (purpose: string): Buffer =>
      Buffer.from(hkdfSync('sha256', bytes, '', `postern/forward-auth/${purpose}`, SEAL_KEY_BYTES));
    const keys = { seal: createSealKey(derive('csrf')), state: derive('state') };
    known = { secret: Buffer.from(bytes), keys };
    return keys;
  };
}

export function hmacText(key: Buffer | string, text: string): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('base64url');
}
