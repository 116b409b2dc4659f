import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { substituteEnv } from './env-substitution.ts';

const VARIABLES = new Map([
  ['A', 'one'],
  ['EMPTY', ''],
  ['A_B', 'two'],
]);

function text(source: string): string | number {
  const result = substituteEnv(source, VARIABLES);
  return result.ok ? result.text : result.line;
}

test('substituteEnv() puts in variables, defaults and alternatives as the original does', () => {
  const cases = {
    '$A ${A} $A_B': 'one one two',
    '${NONE:-x} ${EMPTY:-x} ${A:-x}': 'x x one',
    '${NONE-x} ${EMPTY-x}': 'x ',
    '${NONE:=x} ${NONE=x}': 'x x',
    '${A:+x} ${NONE:+x} ${A+x}': 'x  x',
    '${NONE:-$A}': 'one',
    '[$NONE]': '[]',
    '$$A $$$$': '$A $$',
    '^/x$ /$1/$2 costs $ 5': '^/x$ /$1/$2 costs $ 5',
  };
  for (const [source, wanted] of Object.entries(cases)) assert.equal(text(source), wanted, source);
});

test('substituteEnv() names what is not set, and where a brace stays open', () => {
  assert.deepEqual(substituteEnv('$NONE ${X:-y} ${Y}', VARIABLES), { ok: true, text: ' y ', unset: ['NONE', 'Y'] });
  assert.equal(text('a\nb ${A\n}'), 2);
});

test('substituteEnv() leaves a text without dollars alone and never throws', () => {
  fc.assert(fc.property(fc.string(), (source) => source.includes('$') || text(source) === source));
  const piece = fc.constantFrom('$', '{', '}', 'A', ':', '-', '+', '=', '\n', '1', '_', 'é');
  fc.assert(fc.property(fc.array(piece), (pieces) => substituteEnv(pieces.join(''), VARIABLES).ok !== undefined));
});
