import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { assert as check, nat, property, string } from 'fast-check';
import { canonicaliseName, isGroupName } from './account-name.ts';
import { addressBucket } from './address-bucket.ts';
import { createSealKey, seal, sealJson, unseal, unsealJson } from './seal.ts';
import { createOwnCookieTest, isToken, keyOfToken, mintToken, purposeCookieName, sessionCookieName } from './token.ts';

const key = createSealKey(randomBytes(32));

test('seal() and unseal() give back any text', () => {
  check(
    property(
      string({ unit: 'grapheme' }),
      string(),
      (text, purpose) => unseal(key, purpose, seal(key, purpose, text)) === text,
    ),
    { numRuns: 50 },
  );
  assert.deepEqual(unsealJson(key, 'p', sealJson(key, 'p', { a: [1] })), { a: [1] });
});

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

test('unseal() rejects another purpose, another key, every flipped bit and any other text', () => {
  const sealed = seal(key, 'session', 'hello');
  assert.equal(unseal(key, 'ticket', sealed), null);
  assert.equal(unseal(createSealKey(randomBytes(32)), 'session', sealed), null);
  const bytes = Buffer.from(sealed, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.equal(unseal(key, 'session', flipped.toString('base64url')), null);
  }
  // The last character holds bits of nothing, and a spelling by which they are set is another text.
  const others = Array.from(ALPHABET, (last) => sealed.slice(0, -1) + last).filter((text) => text !== sealed);
  assert.ok(
    others.some((text) => Buffer.from(text, 'base64url').equals(bytes)),
    'some are the same bytes',
  );
  for (const text of others) assert.equal(unseal(key, 'session', text), null, text);
  for (const text of ['', 'A', `${sealed}=`, `${sealed}A`, sealed.slice(0, -1), ` ${sealed}`, `${sealed}\n`])
    assert.equal(unseal(key, 'session', text), null);
  check(property(string(), (text) => unseal(key, 'session', text) === null));
  assert.throws(() => createSealKey(randomBytes(16)), RangeError);
});

test('seal() gives another text each time', () => {
  assert.notEqual(seal(key, 'p', 'x'), seal(key, 'p', 'x'));
});

test('a token is 256 bits of base64url, known by its SHA-256', () => {
  const token = mintToken();
  assert.ok(isToken(token));
  assert.equal(Buffer.from(token, 'base64url').length, 32);
  assert.match(keyOfToken(token), /^[0-9a-f]{64}$/);
  for (const text of [
    '',
    token.slice(1),
    `${token}A`,
    `"${token}"`,
    `${token.slice(0, 42)}=`,
    `${token.slice(0, 42)}\n`,
  ])
    assert.ok(!isToken(text));
});

test('cookie names hold the instance and the strongest prefix that fits', () => {
  assert.equal(sessionCookieName('k3v9', { secure: true, domain: null }), '__Host-postern-k3v9');
  assert.equal(sessionCookieName('k3v9', { secure: true, domain: '.example.com' }), '__Secure-postern-k3v9');
  assert.equal(sessionCookieName('k3v9', { secure: false, domain: null }), 'postern-k3v9');
  assert.equal(purposeCookieName('k3v9', 'n-x', { secure: true, domain: null }), '__Host-postern-k3v9-n-x');
  assert.throws(() => sessionCookieName('K!', { secure: true, domain: null }), RangeError);
  const isOwn = createOwnCookieTest('k3v9');
  for (const name of ['__Host-postern-k3v9', '__host-POSTERN-k3v9-n-x', '__Secure-postern-k3v9', 'postern-k3v9'])
    assert.ok(isOwn(name), name);
  for (const name of ['', 'postern-k3v9x', 'postern-other', 'xpostern-k3v9', 'sid', '__Host-sid'])
    assert.ok(!isOwn(name), name);
});

test('canonicaliseName() has one spelling for one name and refuses look-alikes', () => {
  for (const typed of ['bob', 'Bob', ' BOB ', 'ｂｏｂ', 'bob\u00a0'])
    assert.equal(canonicaliseName(typed), 'bob', typed);
  assert.equal(canonicaliseName('Ada@Example.com'), 'ada@example.com');
  for (const typed of [
    '',
    '.',
    '..',
    '-x',
    'b b',
    'bоb',
    'bob\u0000',
    'a'.repeat(65),
    '../x',
    'a@b@c',
    'a@',
    '@b',
    'a@b..c',
    'bob​',
    'x'.repeat(100_000),
  ]) {
    assert.equal(canonicaliseName(typed), null, JSON.stringify(typed.slice(0, 20)));
  }
  check(property(string({ unit: 'binary' }), (typed) => /^[\x21-\x7e]*$/.test(canonicaliseName(typed) ?? '')));
  assert.ok(isGroupName('/developers') && !isGroupName('') && !isGroupName('a\nb') && !isGroupName(' a'));
});

test('addressBucket() counts an IPv6 /64 as one', () => {
  assert.equal(addressBucket('192.0.2.1'), '192.0.2.1');
  assert.equal(addressBucket('2001:db8::1'), '2001:db8:0:0::/64');
  assert.equal(addressBucket('2001:db8:0:0:9::1'), addressBucket('2001:db8::1'));
  assert.notEqual(addressBucket('2001:db8:0:1::1'), addressBucket('2001:db8::1'));
  assert.equal(addressBucket('::1'), '0:0:0:0::/64');
  check(property(nat(0xffff), (n) => addressBucket(`2001:db8::${n.toString(16)}`) === '2001:db8:0:0::/64'));
});
