import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, property, string } from 'fast-check';
import { cookieValues, serialiseCookie, withoutCookies } from './cookies.ts';
import { HeaderBlock } from './header-block.ts';

const NAME = '__Host-postern-k3v9';
const isOwn = (name: string): boolean => name.startsWith(NAME);
const valuesOf = (...lines: string[]): readonly string[] => cookieValues(HeaderBlock.from({ Cookie: lines }), NAME);

test('cookieValues() gives every value of a name, over all lines', () => {
  assert.deepEqual(valuesOf(`a=1; ${NAME}=x; b=2`), ['x']);
  assert.deepEqual(valuesOf(`${NAME}=x; ${NAME}=y`, `${NAME}=z`), ['x', 'y', 'z']);
  assert.deepEqual(valuesOf(`a=1;${NAME} = x \t;b`), ['x']);
  assert.deepEqual(valuesOf(`${NAME}=`), ['']);
  assert.deepEqual(valuesOf(`${NAME}="x"`), ['"x"']);
  assert.deepEqual(valuesOf(`${NAME}=a=b`), ['a=b']);
});

test('cookieValues() does not take a part of another name or value for the name', () => {
  for (const line of [
    '',
    NAME,
    `x${NAME}=1`,
    `${NAME}x=1`,
    `a=${NAME}=1`,
    `a b ${NAME}=1`,
    `${NAME.toLowerCase()}=1`,
    `${NAME}-n=1`,
  ]) {
    assert.deepEqual(valuesOf(line), [], line);
  }
  assert.deepEqual(cookieValues(new HeaderBlock(), NAME), []);
});

test('withoutCookies() gives the same string where nothing is ours, null where nothing is left', () => {
  for (const line of ['', 'a=1', 'a=1; b="x;y"', ' a = 1 ;; b', ';']) assert.equal(withoutCookies(line, isOwn), line);
  assert.equal(withoutCookies(`${NAME}=x`, isOwn), null);
  assert.equal(withoutCookies(` ;${NAME}=x; ${NAME}-n=2;`, isOwn), null);
  assert.equal(withoutCookies(`a=1; ${NAME}=x; b=2`, isOwn), 'a=1; b=2');
  assert.equal(withoutCookies(`${NAME}=x; b=2`, isOwn), 'b=2');
  assert.equal(withoutCookies(`a=1;${NAME} =x`, isOwn), 'a=1');
  assert.equal(withoutCookies(`a="1; ${NAME}=x"; b=2`, isOwn), 'a="1; b=2');
});

const piece = constantFrom(NAME, '=', ';', ' ', '\t', '"', 'a', `${NAME}=t`, ';;', '\u0080', ',', '\\');

test('withoutCookies() never leaves a value that cookieValues() would find, and loses no other cookie', () => {
  check(
    property(array(piece, { maxLength: 14 }), (parts) => {
      const line = parts.join('');
      const rest = withoutCookies(line, isOwn) ?? '';
      assert.deepEqual(valuesOf(rest), []);
      const others = (text: string): string[] =>
        text
          .split(';')
          .map((it) => it.replace(/^[ \t]+|[ \t]+$/g, ''))
          .filter((it) => it !== '' && !it.startsWith(NAME));
      assert.deepEqual(others(rest), others(line));
    }),
    { numRuns: 2_000 },
  );
  check(
    property(string({ unit: 'binary', maxLength: 60 }), (line) => {
      assert.equal(
        withoutCookies(line, () => false),
        line,
      );
      valuesOf(line);
    }),
  );
});

test('serialiseCookie() writes attributes and refuses what would break out of it', () => {
  assert.equal(serialiseCookie(NAME, 'x', { secure: true }), `${NAME}=x; Path=/; HttpOnly; Secure; SameSite=Lax`);
  assert.equal(
    serialiseCookie('a', '', {
      secure: false,
      httpOnly: false,
      sameSite: 'Strict',
      path: '/p',
      domain: '.example.com',
      maxAge: 0,
    }),
    'a=; Path=/p; Domain=.example.com; Max-Age=0; SameSite=Strict',
  );
  const bad: [string, string, Parameters<typeof serialiseCookie>[2]][] = [
    ['a b', 'x', { secure: true }],
    ['', 'x', { secure: true }],
    ['a', 'x; Domain=evil', { secure: true }],
    ['a', 'x\r\n', { secure: true }],
    ['a', 'ü', { secure: true }],
    ['a', 'x', { secure: true, path: '/;' }],
    ['a', 'x', { secure: true, domain: 'a;b' }],
    [NAME, 'x', { secure: false }],
    [NAME, 'x', { secure: true, domain: 'example.com' }],
    [NAME, 'x', { secure: true, path: '/x' }],
  ];
  for (const [name, value, attributes] of bad)
    assert.throws(() => serialiseCookie(name, value, attributes), RangeError);
});
