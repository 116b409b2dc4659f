import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem, warning } from '../core/diagnostic.ts';
import { placeDiagnostic, printDiagnostics } from './print-diagnostics.ts';

const nowhere = { locate: () => null, secrets: [] };

test('printDiagnostics() prints place, code and message, then the remedy', () => {
  const one = { ...problem(['a'], 'a "b" is not c', 'write "c"'), place: { line: 14, column: 7 }, isSecret: false };
  assert.equal(
    printDiagnostics([one], { file: 'postern.yaml' }),
    'postern.yaml:14:7  CONFIG_INVALID  a "b" is not c\n                write "c"\n',
  );
  const other = placeDiagnostic({ ...warning([], 'A b'), code: 'TLS_BAD_CERTIFICATE' }, nowhere);
  assert.equal(printDiagnostics([other], { file: 'p' }), 'p  WARNING  A b\n');
});

test('printDiagnostics() shows the line with a caret, but never one that holds a secret', () => {
  const one = { ...problem(['a'], 'a is wrong'), place: { line: 2, column: 4 }, isSecret: false };
  const source = 'x: 1\na: bad\n';
  assert.match(printDiagnostics([one], { file: 'p', source }), / {5}2 \| a: bad\n {7}\| {4}\^\n$/);
  assert.doesNotMatch(printDiagnostics([{ ...one, isSecret: true }], { file: 'p', source }), /bad/);
});

test('printDiagnostics() shows the lines of thousands of problems', () => {
  const source = Array.from({ length: 10_000 }, (_, i) => `key${i}: value`).join('\r\n');
  const all = Array.from({ length: 10_000 }, (_, i) => ({
    ...warning([`key${i}`], 'Odd'),
    place: { line: i + 1, column: 1 },
    isSecret: false,
  }));
  const printed = printDiagnostics(all, { file: 'p', source: `\uFEFF${source}` }).split('\n');
  assert.equal(printed.length, 30_001);
  assert.equal(printed[29_998], ' 10000 | key9999: value');
});

test('printDiagnostics() lets no text move the cursor', () => {
  const one = placeDiagnostic(problem([], 'a "\u001B[2J\n\u009B" is wrong'), nowhere);
  assert.equal(printDiagnostics([one], { file: 'p' }), 'p  CONFIG_INVALID  a "\\u001b[2J\\u000a\\u009b" is wrong\n');
});

test('placeDiagnostic() masks what other rooms quote of a variable', () => {
  const secrets = [{ path: ['hosts', 'a', 'allow', 0], name: 'FROM', value: '203.0.113.999' }];
  const place = { line: 1, column: 1 };
  const masked = placeDiagnostic(problem(['hosts', 'a', 'allow', 0], 'Cannot read rule "ip:203.0.113.999"'), {
    locate: () => place,
    secrets,
  });
  assert.equal(masked.message, 'Cannot read rule "ip:${FROM}"');
  assert.equal(masked.place, place);
});
