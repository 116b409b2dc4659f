import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { mergeEnvironment, parseEnvFile } from './env-file.ts';

function variables(text: string): Record<string, string> {
  const { variables, problems } = parseEnvFile(text);
  assert.deepEqual(problems, []);
  return Object.fromEntries(variables);
}

test('parseEnvFile() reads names, quotes, comments and continued lines', () => {
  const text = [
    '\uFEFF# comment',
    '; comment',
    '',
    'A=1',
    '  export B = two words  ',
    'C="with # and \\" and \\n and $X"',
    'D=\'single \\ "x"\'',
    'E=a"b c"d',
    'F=one \\',
    'two',
    'G=',
    'H="line one',
    'line two"',
    'I=$2a$14$abc#no-comment',
    'J=a\\ b\\\\',
  ].join('\r\n');
  assert.deepEqual(variables(text), {
    A: '1',
    B: 'two words',
    C: 'with # and " and \\n and $X',
    D: 'single \\ "x"',
    E: 'ab cd',
    F: 'one two',
    G: '',
    H: 'line one\nline two',
    I: '$2a$14$abc#no-comment',
    J: 'a b\\',
  });
});

test('parseEnvFile() names the line of a problem and never the value', () => {
  const { variables, problems } = parseEnvFile('A=1\nhunter2\nB="x\ny"\n1C=hunter2\nD="hunter2\n');
  assert.deepEqual([...variables.keys()], ['A', 'B']);
  assert.deepEqual(
    problems.map(({ line }) => line),
    [2, 5, 6],
  );
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/);
});

test('parseEnvFile() takes the last of two, and the file wins over the process', () => {
  const merged = mergeEnvironment({ A: 'process', B: 'process', C: undefined }, parseEnvFile('A=1\nA=2\n').variables);
  assert.deepEqual(
    [...merged],
    [
      ['A', '2'],
      ['B', 'process'],
    ],
  );
});

test('parseEnvFile() never throws, and reads back any value in double quotes', () => {
  fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => parseEnvFile(text).problems.length >= 0));
  const value = fc.string().map((text) => text.replaceAll('\0', '').replaceAll('\r\n', '\n'));
  fc.assert(
    fc.property(value, (text) => {
      const quoted = text.replaceAll(/["\\$`]/g, (char) => `\\${char}`);
      assert.equal(parseEnvFile(`X="${quoted}"\nY=1`).variables.get('X'), text);
    }),
  );
});
