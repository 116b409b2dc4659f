/** Cipher suites by the names of IANA, as `tls-cipher-suite` takes them, and as OpenSSL's list wants them. */
import { PosternError } from '../../core/errors.ts';

/** Forward secrecy and AEAD only; the original knows weaker ones as well. */
const NAMES: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
};
/** Go serves TLS 1.3 whatever the list says: it is about 1.2. */
const ALWAYS = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** What the original takes as well, and nobody should: no forward secrecy, or CBC. */
const WEAK = /^TLS_(?:RSA_WITH_|ECDHE_(?:RSA|ECDSA)_WITH_(?:RC4|3DES|AES_(?:128|256)_CBC))/;

/**
 * Null where none are named: Postern's own list. Weak ones are told about and left out. Throws CONFIG_INVALID for
 * what is no suite, and where none is left.
 */
export function openSslNames(suites: readonly string[], onWeak: (suite: string) => void): string | null {
  if (suites.length === 0) return null;
  const names = suites.flatMap((suite) => {
    const name = NAMES[suite];
    if (name !== undefined) return [name];
    if (WEAK.test(suite)) {
      onWeak(suite);
      return [];
    }
    const remedy = `name some of ${Object.keys(NAMES).slice(3, 9).join(', ')}, or leave the option out`;
    throw new PosternError('CONFIG_INVALID', `Cannot use tls-cipher-suite "${suite}": it is not known; ${remedy}`);
  });
  return [...new Set([...ALWAYS, ...names])].join(':');
}
