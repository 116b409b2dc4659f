import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string, array, constantFrom, oneof } from 'fast-check';
import { cookieValues } from '../../wire/cookies.ts';
import { createCookieText } from '../cookie-text.ts';
import { headersOf, makeSettings, NAME } from './_keeper-rig.ts';
import { clearLines, ownCookies } from './own-cookies.ts';

const own = (...lines: string[]): string[] =>
  ownCookies(headersOf(...lines), NAME).map(({ name, value, part }) => `${name}|${value}|${part}`);

test('ownCookies() gives the cookie and its parts, over all lines, in order', () => {
  assert.deepEqual(own(`a=1; ${NAME}=x; b=2`), [`${NAME}|x|-1`]);
  assert.deepEqual(own(`${NAME}_1=b;${NAME}_0 = a `, `${NAME}=c=d`), [
    `${NAME}_1|b|1`,
    `${NAME}_0|a|0`,
    `${NAME}|c=d|-1`,
  ]);
  assert.deepEqual(own(`${NAME}_10="x"`), [`${NAME}_10|"x"|10`]);
});

test('ownCookies() takes no other name for it', () => {
  for (const name of ['csrf', '0_csrf', '', '00', '01', '-1', '1.0', '1234', ' 1', '１', '\u00a00'])
    assert.deepEqual(own(`${NAME}_${name}=x`), [], name);
  for (const line of [
    '',
    NAME,
    `x${NAME}=1`,
    `${NAME}x=1`,
    `a=${NAME}=1`,
    `${NAME.toUpperCase()}=1`,
    `\u00a0${NAME}=1`,
  ])
    assert.deepEqual(own(line), [], line);
});

test('ownCookies() sees the same whole cookies as cookieValues()', () => {
  const piece = oneof(constantFrom(NAME, '=', ';', ' ', '\t', '"', `${NAME}=a`, '_0'), string({ maxLength: 3 }));
  check(
    property(array(piece, { maxLength: 12 }), (pieces) => {
      const headers = headersOf(pieces.join(''));
      const whole = ownCookies(headers, NAME).filter((it) => it.part === -1);
      assert.deepEqual(
        whole.map((it) => it.value),
        cookieValues(headers, NAME),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('clearLines() removes each name once, and none of the exceptions', () => {
  const text = createCookieText(makeSettings().cookie);
  const headers = headersOf(`${NAME}=x; ${NAME}_0=y; ${NAME}=z; ${NAME}_csrf=c`);
  const about = { name: NAME, text, headers, host: 'app.example.com' };
  assert.deepEqual(clearLines(about), [
    `${NAME}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax`,
    `${NAME}_0=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax`,
  ]);
  assert.equal(clearLines(about, new Set([NAME])).length, 1);
});
