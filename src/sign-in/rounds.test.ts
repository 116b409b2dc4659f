import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { countRound } from './rounds.ts';

test('countRound() calls the fourth round within a minute a loop, and forgets after it', () => {
  let cookie: string | null = null;
  for (let i = 0; i < 3; i++) {
    const round = countRound(cookie, 'https://a/x', 1_000 + i * 100, 1_050 + i * 100);
    assert.equal(round.isLoop, false);
    cookie = round.cookie;
  }
  assert.equal(countRound(cookie, 'https://a/x', 2_000, 2_000).isLoop, true);
  assert.equal(countRound(cookie, 'https://a/other', 2_000, 2_000).isLoop, false);
  assert.equal(countRound(cookie, 'https://a/x', 62_000, 62_000).isLoop, false);
});

test('countRound() does not count tabs whose tickets were made before the last hand-off', () => {
  let cookie: string | null = null;
  for (let i = 0; i < 20; i++) {
    const round = countRound(cookie, 'https://a/x', 1_000, 2_000 + i);
    assert.equal(round.isLoop, false);
    cookie = round.cookie;
  }
});

test('countRound() takes any cookie, keeps it short and printable', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 500 }), (cookie) => {
      const round = countRound(cookie, 'https://a/x', 1_000, 2_000);
      assert.match(round.cookie, /^[A-Za-z0-9_.~-]{0,400}$/);
    }),
  );
  let cookie = '';
  for (let i = 0; i < 50; i++) ({ cookie } = countRound(cookie, `https://a/${i}`, 1_000, 2_000));
  assert.equal(cookie.split('~').length, 8);
});
