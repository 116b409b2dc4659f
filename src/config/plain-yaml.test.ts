import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { mapTexts, readPlainYaml } from './plain-yaml.ts';
import { yamlNotes } from './yaml-errors.ts';
import { parseYaml, type Plain, readTree } from './yaml-tree.ts';

/** What the full parser makes of a text; undefined where it finds anything wrong. */
function readFully(text: string): Plain {
  const document = parseYaml(text);
  if (yamlNotes(document, text).length > 0) return undefined;
  const tree = readTree(document, (one) => one);
  return tree.notes.length > 0 ? undefined : tree.plain;
}

/** True where the fast reader took it. Both must then agree. */
function agree(text: string): boolean {
  const fast = readPlainYaml(text);
  if (fast === null) return false;
  assert.deepEqual(fast, readFully(text), JSON.stringify(text));
  return true;
}

test('readPlainYaml() reads what generated documents are made of', () => {
  const text = `# hosts
version: 1
listen: { http: ":80", https: ":443", health: off }
session: { lifetime: 12h }   # a comment

hosts:
  a.example.com:
    to: http://127.0.0.1:9001 # app
    allow: ["ip:\${FROM}", signed-in, { all: [a, b] }]
  "*.example.com":
    paths:
      /x/*: { to: 'unix:/run/x.sock', allow: [public], max_fails: 0 }
      /y:
        allow:
        - public
        - "a: b"
        to:
          - http://a
    watch: true
    empty:
default: {}
`;
  assert.ok(agree(text));
});

test('readPlainYaml() leaves to the full parser what it does not surely know', () => {
  const odd = [
    'a: b: c',
    'a: [b',
    'a: &x b',
    'a: *x',
    'a: !t b',
    'a: |\n  b',
    'a: b\n  c',
    'a: 1\na: 2',
    '<<: a',
    '__proto__: a',
    'a:\tb',
    'a: 1.5',
    'a: 0x1',
    'a: null',
    '- a',
    'a: "\\n"',
    "a: 'it''s'",
    'a: [1,]',
    'a: {b}',
    'a: {b: c}d',
    'a: "b"c',
    '? a',
    '---\na: b',
    ' a: b',
    'a: b\r',
    'a:\n   b: c\n  d: e',
    '',
    'a: @b',
  ];
  for (const text of odd) assert.equal(readPlainYaml(text), null, JSON.stringify(text));
});

test('readPlainYaml() agrees with the full parser on the golden files', () => {
  const folder = resolve(import.meta.dirname, 'golden');
  let taken = 0;
  for (const name of globSync('*.txt', { cwd: folder })) {
    if (agree(readFileSync(resolve(folder, name), 'utf8').split(/^-{10,}\n/m)[0] ?? '')) taken++;
  }
  assert.ok(taken >= 10, `only ${taken} were taken`);
});

const PIECES = [
  'a',
  'b.c',
  '/x/*',
  'http://h:80',
  'ip:10.0.0.0/8',
  '12h',
  '10',
  '0',
  '-1',
  '+1',
  '1e3',
  '.5',
  '0o7',
  'true',
  'null',
  '~',
  'off',
  '"q"',
  "'q'",
  '"a: b"',
  '"',
  "'",
  ': ',
  ':',
  '\n',
  '\n  ',
  '\n    ',
  '\n- ',
  '\n  - ',
  ', ',
  ',',
  '[',
  ']',
  '{ ',
  ' }',
  '{',
  '}',
  ' ',
  '  ',
  '#',
  ' # c',
  '- ',
  '-',
  '?',
  '&',
  '*',
  '!',
  '|',
  '>',
  '%',
  '@',
  '`',
  '\\',
  '<<',
  '---',
  '...',
  'é',
  '\u00A0',
  '$',
  '=',
  '(',
  '~x',
  '.inf',
  '-.nan',
  '1_0',
  '2001-01-01',
];

test('readPlainYaml() agrees with the full parser, whatever the text', () => {
  let taken = 0;
  const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 24 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (one) => void (agree(`k: ${one}`) ? taken++ : 0)),
    { numRuns: 6000 },
  );
  fc.assert(
    fc.property(text, (one) => void (agree(one) ? taken++ : 0)),
    { numRuns: 6000 },
  );
  assert.ok(taken > 200, `only ${taken} were taken`);
});

test('readPlainYaml() agrees with the full parser on printed data', () => {
  const key = fc.constantFrom('a', 'b.c', '/x/*', '*.d', 'e f', '10', 'true', 'g:h');
  const scalar = fc.oneof(
    fc.constantFrom('x', 'a: b', '#', '12h', ':443', '127.0.0.1', '- a', '', ' x ', "it's", '"'),
    fc.nat(),
    fc.boolean(),
    fc.constant(null),
  );
  const { map } = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 4 }, scalar, fc.array(tie('any'), { maxLength: 3 }), tie('map')),
    map: fc.dictionary(key, tie('any'), { maxKeys: 4 }),
  }));
  let taken = 0;
  fc.assert(
    fc.property(map, (data) => void (agree(stringify(data)) || agree(JSON.stringify(data)) ? taken++ : 0)),
    { numRuns: 1000 },
  );
  assert.ok(taken > 50, `only ${taken} were taken`);
});

test('mapTexts() replaces texts with their places', () => {
  const seen: unknown[] = [];
  const mapped = mapTexts({ a: ['x', '${B}'], c: 1 }, [], (text, path) => {
    seen.push([text, [...path]]);
    return 'b';
  });
  assert.deepEqual(mapped, { a: ['x', 'b'], c: 1 });
  assert.deepEqual(seen, [['${B}', ['a', 1]]]);
});
