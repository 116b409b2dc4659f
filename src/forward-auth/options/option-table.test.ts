import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { OPTIONS } from './option-table.ts';

const TYPES: Readonly<Record<string, string>> = { '[]string': 'list', 'time.Duration': 'duration' };
/** Options that the running original defines, from its own source: type, flag, variable. */
const ORIGINAL = readFileSync(new URL('oauth2-proxy-options.tsv', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split('\t'));

test('OPTIONS holds each of the 168 options of oauth2-proxy 7.15.3, by its type, flag and variable', () => {
  const wanted = ORIGINAL.map(([type = '', flag, env]) => `${TYPES[type] ?? type} ${flag} ${env}`).sort();
  assert.equal(wanted.length, 168);
  assert.deepEqual(OPTIONS.map(({ type, flag, env }) => `${type} ${flag} ${env}`).sort(), wanted);
});

test('OPTIONS says in words what each option does and what becomes of it', () => {
  for (const { flag, help, handling } of OPTIONS) {
    assert.ok(help.length > 3 && !help.endsWith('.'), flag);
    if (handling.kind === 'refused') assert.ok(handling.instead.length > 10, flag);
    if (handling.kind === 'without-effect') assert.ok(handling.why.length > 10, flag);
  }
});
