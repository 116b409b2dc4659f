import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { EN } from './en.ts';
import { KO } from './ko.ts';
import { localesOf, textsFor } from './texts.ts';
import { ZH_HANS } from './zh-hans.ts';

test('textsFor() follows Accept-Language by weight and order', () => {
  const cases: [header: string | null, language: string][] = [
    [null, 'en'],
    ['', 'en'],
    ['ko', 'ko'],
    ['ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7', 'ko'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-Hans'],
    ['zh-Hant-TW', 'zh-Hans'],
    ['zh-Hans-SG', 'zh-Hans'],
    ['de-DE,de;q=0.9,ko;q=0.2', 'ko'],
    ['de', 'en'],
    ['*', 'en'],
    ['fr, *;q=0.5, ko;q=0.3', 'en'],
    ['ko;q=0.5, *;q=0.1', 'ko'],
    ['ko;q=0.3, en;q=0.2, *;q=0.5', 'ko'],
    ['ko;q=0, zh;q=0.001', 'zh-Hans'],
    ['ko;q=0', 'en'],
    ['en;q=0.5, ko;q=0.5', 'en'],
    ['fr;q=1, ko;q=0.5, en;q=0.6', 'en'],
    ['KO-kr', 'ko'],
    ['kok', 'en'],
    ['__proto__, constructor', 'en'],
    [`zh;q=0.2,${'x'.repeat(980)},ko;q=0.1`, 'zh-Hans'],
    [`${'x'.repeat(995)},ko;q=0`, 'en'],
    ['x'.repeat(2_000), 'en'],
  ];
  for (const [header, language] of cases) assert.equal(textsFor(header).language, language, String(header));
});

test('textsFor() answers any header with a table', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 3_000, unit: 'binary' }), (header) => {
      assert.ok([EN, KO, ZH_HANS].includes(textsFor(header)));
    }),
  );
});

test('localesOf() says languages as providers write them, the best first', () => {
  const cases: [header: string | null, locales: readonly string[]][] = [
    [null, []],
    ['*', []],
    ['ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7', ['ko-KR', 'ko', 'en-US', 'en']],
    ['en;q=0.5, zh-hans-cn', ['zh-Hans-CN', 'en']],
    ['de;q=0, fr', ['fr']],
    ['a b, <x>, en\r\n, ko', ['en', 'ko']],
    ['aa,bb,cc,dd,ee,ff,gg', ['aa', 'bb', 'cc', 'dd', 'ee']],
  ];
  for (const [header, locales] of cases) assert.deepEqual(localesOf(header), locales, String(header));
  fc.assert(
    fc.property(fc.string({ maxLength: 3_000, unit: 'binary' }), (header) => {
      for (const locale of localesOf(header)) assert.match(locale, /^[A-Za-z0-9-]{2,50}$/);
    }),
  );
});

/** Every text of a table by its path; functions are called with a mark that the text must hold. */
function flatten(value: unknown, path: string, into: Map<string, string>): Map<string, string> {
  if (typeof value === 'string') into.set(path, value);
  else if (typeof value === 'function') flatten((value as (mark: unknown) => unknown)(7), path, into);
  else for (const [key, one] of Object.entries(value as object)) flatten(one, `${path}.${key}`, into);
  return into;
}

test('every language says everything in its own words', () => {
  const english = flatten(EN, '', new Map());
  for (const [table, script] of [
    [KO, /\p{Script=Hangul}/u],
    [ZH_HANS, /\p{Script=Han}/u],
  ] as const) {
    const own = flatten(table, '', new Map());
    assert.deepEqual([...own.keys()].sort(), [...english.keys()].sort());
    for (const [path, text] of own) {
      if (path === '.language') continue;
      assert.match(text, script, `${table.language}${path}`);
      if (english.get(path)?.includes('7') === true) assert.match(text, /7/, `${table.language}${path}`);
    }
  }
});
