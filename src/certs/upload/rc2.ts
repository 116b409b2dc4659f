/**
 * Decrypts RC2 in CBC mode (RFC 2268): older Windows and OpenSSL encrypt the certificates in PKCS #12 files so, and
 * the OpenSSL of Node has it no more. Worthless as protection; only here to read such a file once. Encrypts nothing.
 */

/** RFC 2268 section 2: a permutation made of the digits of pi. */
const PI_TABLE = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32' +
    'bd8f40eb86b77b0bf09521225c6b4e8254d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed708e8eade8052eef784aa72ac354d6a2a' +
    '961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2e' +
    'c5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
);
const ROTATIONS = [1, 2, 3, 5] as const;

/** Section 2: 64 words of 16 bits. */
function expandKey(key: Buffer, effectiveBits: number): Uint16Array {
  const bytes = Buffer.alloc(128);
  key.copy(bytes);
  const pi = (index: number): number => PI_TABLE[index & 0xff] ?? 0;
  for (let at = key.length; at < 128; at += 1) bytes[at] = pi((bytes[at - 1] ?? 0) + (bytes[at - key.length] ?? 0));
  const length = Math.ceil(effectiveBits / 8);
  const mask = 0xff >> (8 * length - effectiveBits);
  bytes[128 - length] = pi((bytes[128 - length] ?? 0) & mask);
  for (let at = 127 - length; at >= 0; at -= 1) bytes[at] = pi((bytes[at + 1] ?? 0) ^ (bytes[at + length] ?? 0));
  return Uint16Array.from({ length: 64 }, (_, at) => bytes.readUInt16LE(at * 2));
}

/** Section 4: 5 + 6 + 5 mixing rounds backwards, with a mashing round between. */
function decryptBlock(words: Uint16Array, block: Uint16Array): void {
  let next = 63;
  const unmix = (): void => {
    for (let i = 3; i >= 0; i -= 1) {
      const by = ROTATIONS[i] ?? 0;
      const value = block[i] ?? 0;
      const [a, b, c] = [block[(i + 3) & 3] ?? 0, block[(i + 2) & 3] ?? 0, block[(i + 1) & 3] ?? 0];
      const turned = (value >>> by) | (value << (16 - by));
      block[i] = turned - (words[next] ?? 0) - (a & b) - (~a & c);
      next -= 1;
    }
  };
  const unmash = (): void => {
    for (let i = 3; i >= 0; i -= 1) block[i] = (block[i] ?? 0) - (words[(block[(i + 3) & 3] ?? 0) & 63] ?? 0);
  };
  for (const [index, rounds] of [5, 6, 5].entries()) {
    if (index > 0) unmash();
    for (let round = 0; round < rounds; round += 1) unmix();
  }
}

export interface Rc2Key {
  readonly key: Buffer;
  readonly effectiveBits: number;
  readonly iv: Buffer;
}

/** The text with its padding (RFC 2630 section 6.3) checked and removed; null where that is not right. */
export function decryptRc2({ key, effectiveBits, iv }: Rc2Key, data: Buffer): Buffer | null {
  if (data.length === 0 || data.length % 8 !== 0 || iv.length !== 8) return null;
  const words = expandKey(key, effectiveBits);
  const out = Buffer.alloc(data.length);
  for (let at = 0; at < data.length; at += 8) {
    const block = Uint16Array.from({ length: 4 }, (_, i) => data.readUInt16LE(at + i * 2));
    decryptBlock(words, block);
    const before = at === 0 ? iv : data.subarray(at - 8, at);
    for (let i = 0; i < 8; i += 1) out[at + i] = (((block[i >> 1] ?? 0) >> (8 * (i & 1))) & 0xff) ^ (before[i] ?? 0);
  }
  const padding = out.at(-1) ?? 0;
  if (padding < 1 || padding > 8 || !out.subarray(-padding).every((byte) => byte === padding)) return null;
  return out.subarray(0, -padding);
}
