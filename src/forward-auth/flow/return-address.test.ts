import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readReturnAddress } from './return-address.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 2_000);
const isOurs = (name: string): boolean => name === 'login_hint';
const read = (query: string): string | null | undefined => readReturnAddress(query, isOurs);

test('readReturnAddress() decodes an escaped address once', () => {
  assert.equal(read('?rd=https%3A%2F%2Fa.test%2Fx%3Fq%3D1%26b%3D2%23f'), 'https://a.test/x?q=1&b=2#f');
  assert.equal(read('?rd=%2Fa%2520b%2Fc%252Fd&login_hint=x'), '/a%20b/c%2Fd');
  assert.equal(read('?x=1&rd=%2Fa+b'), '/a b');
  assert.equal(read('?%72d=%2Fa'), '/a');
  // ingress-nginx escapes all but scheme and host; others leave slashes.
  assert.equal(read('?rd=https://a.test%2Fx%3Fq%3D1%26b%3D2'), 'https://a.test/x?q=1&b=2');
  assert.equal(read('?rd=https://a.test/x%3Fq%3D1%26b%3D2'), 'https://a.test/x?q=1&b=2');
  assert.equal(read('?rd=/x%3Fq%3D%2525'), '/x?q=%25');
});

test('readReturnAddress() gives the unescaped form of nginx and Caddy back what was cut off', () => {
  const cases = [
    'https://a.test/x?q=1&b=2',
    'https://a.test/a%20b/c%2Fd?x=%26&y=a%2Bb+c&z',
    'https://a.test/x?rd=/other&rd=2&state=3',
    'https://a.test/R&D/x',
    'https://a.test:8443/?&&a=&',
    '/x?q=1&b=2',
    '/x?a=100%&b=;c',
    'https://a.test/?u=https://b.test/?c&d',
  ];
  for (const url of cases) assert.equal(read(`?rd=${url}`), url);
});

test('readReturnAddress() keeps parameters of ours out of the address', () => {
  assert.equal(read('?rd=https://a.test/x?q=1&login_hint=bob&b=2'), 'https://a.test/x?q=1&b=2');
  assert.equal(read('?login_hint=bob&rd=/x?q=1&b=2'), '/x?q=1&b=2');
  assert.equal(read('?rd=/x&theme=dark'), '/x', 'without a "?" it is a parameter');
});

test('readReturnAddress() tells nothing, an empty one and a broken one apart', () => {
  for (const query of ['', '?', '?x=1', '?xrd=/a', '?&&']) assert.equal(read(query), null, query);
  for (const query of ['?rd', '?rd=', '?rd=&b=2']) assert.equal(read(query), '', query);
  for (const query of ['?rd=%zz', '?rd=%', '?rd=%2']) assert.equal(read(query), undefined, query);
});

test('readReturnAddress() gives every deep link back, escaped or not', () => {
  const link = fc.webUrl({ withQueryParameters: true, validSchemes: ['http', 'https'] });
  fc.assert(
    fc.property(link, (url) => {
      const whole = new URL(url).href.replaceAll('login_hint', 'x');
      assert.equal(read(`?rd=${encodeURIComponent(whole)}`), whole);
      if (whole.includes('?') || !/%3f/i.test(whole)) assert.equal(read(`?rd=${whole}`), whole);
    }),
    { numRuns: RUNS },
  );
});

test('readReturnAddress() never throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (query) => void read(`?rd=${query}`)),
    { numRuns: RUNS },
  );
});
