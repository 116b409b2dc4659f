/** CAs that a document may name by a word. Directories as their documentation gives them. */

export interface KnownCa {
  readonly word: string;
  readonly name: string;
  readonly directory: string;
  /** It binds accounts to one that people have with it already. */
  readonly needsEab: boolean;
}

export const KNOWN_CAS: readonly KnownCa[] = [
  {
    word: 'letsencrypt',
    name: "Let's Encrypt",
    directory: 'https://acme-v02.api.letsencrypt.org/directory',
    needsEab: false,
  },
  {
    word: 'letsencrypt-staging',
    name: "Let's Encrypt (staging)",
    directory: 'https://acme-staging-v02.api.letsencrypt.org/directory',
    needsEab: false,
  },
  { word: 'zerossl', name: 'ZeroSSL', directory: 'https://acme.zerossl.com/v2/DV90', needsEab: true },
  {
    word: 'google',
    name: 'Google Trust Services',
    directory: 'https://dv.acme-v02.api.pki.goog/directory',
    needsEab: true,
  },
  { word: 'buypass', name: 'Buypass', directory: 'https://api.buypass.com/acme/directory', needsEab: false },
];
