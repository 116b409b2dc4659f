import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { array, assert as check, constantFrom, property, string, type Arbitrary } from 'fast-check';
import { createLinkSigner, type LinkWords, type MintedLink } from './link-signature.ts';
import { createSealKey } from './seal.ts';
import { mintToken } from './token.ts';
import type { StoredLink } from '../core/link-store.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const WORDS: LinkWords = {
  name: 'guest',
  host: 'app.example.com',
  scope: '/docs/*',
  target: '/docs/?a=b',
  createdAt: 1_000,
  expiresAt: 61_000,
  uses: 2,
};
const signer = createLinkSigner(createSealKey(randomBytes(32)));

function keptOf({ key, signature }: MintedLink, more: Partial<StoredLink> = {}): StoredLink {
  return { ...WORDS, key, signature, usesLeft: 2, lastUsedAt: null, ...more };
}

test('read() takes the value that mint() made, and every other spelling of it for none', () => {
  const minted = signer.mint(WORDS);
  assert.match(minted.value, /^[\w-]{86}$/);
  assert.equal(signer.read(minted.value)?.key, minted.key);
  for (let at = 0; at < minted.value.length; at++) {
    for (const other of ALPHABET) {
      if (other === minted.value[at]) continue;
      const altered = minted.value.slice(0, at) + other + minted.value.slice(at + 1);
      assert.equal(signer.read(altered), null, `${other} at ${at}`);
    }
    assert.equal(signer.read(minted.value.slice(0, at)), null, `cut at ${at}`);
    assert.equal(signer.read(minted.value.slice(at + 1)), null);
  }
  for (const around of [`${minted.value}A`, `${minted.value}=`, ` ${minted.value}`, `${minted.value}\n`])
    assert.equal(signer.read(around), null);
});

test('read() takes no value of another key, none of before, and none of parts of two', () => {
  const [one, other] = [signer.mint(WORDS), signer.mint(WORDS)];
  assert.equal(createLinkSigner(createSealKey(randomBytes(32))).read(one.value), null);
  assert.equal(signer.read(one.value.slice(0, 43)), null, 'unsigned, as links were');
  assert.equal(signer.read(mintToken() + one.value.slice(43)), null);
  assert.equal(signer.read(one.value.slice(0, 43) + other.value.slice(43)), null);
});

test('read() never throws, and takes nothing that was made up', () => {
  const digits = (minLength: number, maxLength: number): Arbitrary<string> =>
    array(constantFrom(...Array.from(ALPHABET)), { minLength, maxLength }).map((all) => all.join(''));
  const made = signer.mint(WORDS).value;
  const never = (text: string): boolean => signer.read(text) === null;
  check(property(digits(86, 86), never), { numRuns: 500 });
  check(
    property(digits(43, 43), (proof) => never(made.slice(0, 43) + proof)),
    { numRuns: 500 },
  );
  check(property(digits(80, 90), never), { numRuns: 500 });
  check(property(string({ unit: 'binary', maxLength: 200 }), never), { numRuns: 500 });
});

const ALTERED: readonly Partial<StoredLink>[] = [
  { name: 'boss' },
  { host: 'admin.example.com' },
  { scope: '/*' },
  { scope: '/docs/x' },
  { target: '/admin' },
  { createdAt: 999 },
  { expiresAt: 61_001 },
  { uses: 3 },
  { uses: 3, usesLeft: 3 },
  { uses: null, usesLeft: null },
  { usesLeft: 3 },
  { usesLeft: null },
];

test('isAsSigned() and isSigned() find each word that was changed in the store', () => {
  const minted = signer.mint(WORDS);
  const read = signer.read(minted.value);
  assert.ok(read);
  for (const fine of [{}, { usesLeft: 1 }, { usesLeft: 0, lastUsedAt: 5_000 }]) {
    assert.ok(signer.isAsSigned(read, keptOf(minted, fine)));
    assert.ok(signer.isSigned(keptOf(minted, fine)));
  }
  for (const altered of ALTERED) {
    assert.ok(!signer.isAsSigned(read, keptOf(minted, altered)), JSON.stringify(altered));
    assert.ok(!signer.isSigned(keptOf(minted, altered)), JSON.stringify(altered));
  }
});

test('isAsSigned() takes no words that were signed for another link, and isSigned() no signature of another', () => {
  const minted = signer.mint(WORDS);
  const wide = signer.mint({ ...WORDS, scope: '/*' });
  const read = signer.read(minted.value);
  assert.ok(read);
  const moved = keptOf({ ...minted, signature: wide.signature }, { scope: '/*' });
  assert.ok(!signer.isAsSigned(read, moved));
  assert.ok(!signer.isAsSigned(read, keptOf(wide, { scope: '/*' })));
  assert.ok(!signer.isAsSigned(read, keptOf(signer.mint(WORDS))));
  assert.ok(!signer.isSigned(moved));
  assert.ok(!signer.isSigned(keptOf(minted, { signature: null })));
  assert.ok(!createLinkSigner(createSealKey(randomBytes(32))).isSigned(keptOf(minted)));
});

test('mint() signs words apart, wherever one ends and the next begins', () => {
  const minted = signer.mint({ ...WORDS, scope: '/a","/b', target: '/c' });
  const read = signer.read(minted.value);
  assert.ok(read);
  assert.ok(signer.isAsSigned(read, keptOf(minted, { scope: '/a","/b', target: '/c' })));
  assert.ok(!signer.isAsSigned(read, keptOf(minted, { scope: '/a', target: '/b","/c' })));
});
