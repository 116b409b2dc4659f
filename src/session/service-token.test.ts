import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string, stringMatching } from 'fast-check';
import { mintServiceToken, readServiceToken, serviceTokenPrefix } from './service-token.ts';
import { keyOfToken } from './token.ts';

const PREFIX = serviceTokenPrefix('k3v9abcd');

test('mintServiceToken() makes a text that secret scanners and the gate know', () => {
  const seen = new Set<string>();
  for (let n = 0; n < 500; n++) {
    const token = mintServiceToken(PREFIX);
    assert.match(token, /^postern_k3v9abcd_[0-9A-Za-z]{49}$/);
    assert.deepEqual(readServiceToken(token, PREFIX), { kind: 'token', key: keyOfToken(token) });
    seen.add(token);
  }
  assert.equal(seen.size, 500);
});

test('readServiceToken() tells what is damaged from what is not ours', () => {
  const token = mintServiceToken(PREFIX);
  assert.equal(readServiceToken(mintServiceToken(serviceTokenPrefix('other123')), PREFIX).kind, 'foreign');
  for (const text of ['', 'glsa_abc', `x${token}`, token.toUpperCase(), 'eyJhbGciOiJub25lIn0.e30.'])
    assert.equal(readServiceToken(text, PREFIX).kind, 'foreign', text);
  for (const text of [PREFIX, token.slice(0, -1), `${token}0`, `${token} `, `${token}\n`, token.replace(/.$/, '-')])
    assert.equal(readServiceToken(text, PREFIX).kind, 'damaged', text);
});

test('readServiceToken() notices every single wrong or swapped character', () => {
  const token = mintServiceToken(PREFIX);
  for (let at = PREFIX.length; at < token.length; at++) {
    const other = token[at] === 'a' ? 'b' : 'a';
    const changed = token.slice(0, at) + other + token.slice(at + 1);
    assert.equal(readServiceToken(changed, PREFIX).kind, 'damaged', `at ${at}`);
    const [one = '', two = ''] = [token[at], token[at + 1]];
    if (one === two || two === '') continue;
    assert.equal(readServiceToken(token.slice(0, at) + two + one + token.slice(at + 2), PREFIX).kind, 'damaged');
  }
});

test('readServiceToken() never throws, and takes no guess', () => {
  check(
    property(string({ unit: 'binary' }), (text) => {
      assert.notEqual(readServiceToken(PREFIX + text, PREFIX).kind, 'token');
      assert.equal(readServiceToken(text, PREFIX).kind, 'foreign');
    }),
  );
  check(
    property(stringMatching(/^[0-9A-Za-z]{49}$/), (text) => {
      assert.equal(readServiceToken(PREFIX + text, PREFIX).kind, 'damaged');
    }),
    { numRuns: 2_000 },
  );
});
