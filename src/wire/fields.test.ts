import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf, isFieldValue, isToken, parseFields, printFields } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';

function parse(text: string, maxFields = 100): HeaderBlock {
  const block = new HeaderBlock();
  parseFields(text, bytesOf(text), 0, text.length, block, maxFields);
  return block;
}

function ruleOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof HttpSyntaxError, String(error));
    return error.rule;
  }
  return 'accepted';
}

test('parseFields() keeps spelling, order and duplicates, and trims optional whitespace', () => {
  const block = parse('hOsT:a\r\nX-One: \t1 2\t \r\nSet-Cookie: a\r\nset-cookie: b\r\nEmpty:\r\n');
  assert.deepEqual(block.names, ['hOsT', 'X-One', 'Set-Cookie', 'set-cookie', 'Empty']);
  assert.deepEqual(block.keys, ['host', 'x-one', 'set-cookie', 'set-cookie', 'empty']);
  assert.deepEqual(block.values, ['a', '1 2', 'a', 'b', '']);
});

test('parseFields() reads only its range', () => {
  const text = 'GET / HTTP/1.1\r\nA: b\r\n\r\nrest';
  const block = new HeaderBlock();
  parseFields(text, bytesOf(text), 16, 22, block, 5);
  assert.deepEqual([...block], [['A', 'b', 'a']]);
  assert.throws(() => parseFields(text, bytesOf(text), 16, 21, new HeaderBlock(), 5), HttpSyntaxError);
  assert.throws(() => parseFields(text, bytesOf(text), 16, 20, new HeaderBlock(), 5), HttpSyntaxError);
});

test('parseFields() refuses what is ambiguous, by rule', () => {
  const payloads: [string, string][] = [
    ['A: b\n', 'bare-lf'],
    ['A: b\nC: d\r\n', 'bare-lf'],
    ['A: b\rC: d\r\n', 'bare-cr'],
    ['A: b\r\r\n', 'bare-cr'],
    ['A: b\r', 'bare-cr'],
    ['A\r: b\r\n', 'bare-cr'],
    ['A\n: b\r\n', 'bare-lf'],
    ['A: b\r\n c\r\n', 'obs-fold'],
    ['A: b\r\n\tc\r\n', 'obs-fold'],
    [' A: b\r\n', 'obs-fold'],
    ['A : b\r\n', 'field-name'],
    ['A\t: b\r\n', 'field-name'],
    [': b\r\n', 'field-name-empty'],
    ['A\r\n', 'field-without-colon'],
    ['A b\r\n', 'field-name'],
    ['A: b\0\r\n', 'field-value'],
    ['A: b\x7f\r\n', 'field-value'],
    ['A: \x0b\r\n', 'field-value'],
    ['A\0: b\r\n', 'field-name'],
    ['\xc4: b\r\n', 'field-name'],
    ['\u0141: b\r\n', 'field-name'],
    ['A: \u010a\r\n', 'field-value'],
    ['A(: b\r\n', 'field-name'],
    ['A: b', 'field-value'],
    ['A', 'field-name'],
  ];
  for (const [text, rule] of payloads) assert.equal(ruleOf(text), rule, JSON.stringify(text));
});

test('parseFields() takes obs-text and answers 431 beyond the count', () => {
  assert.equal(parse('A: \xe9\xff\r\n').get('a'), '\xe9\xff');
  assert.throws(() => parse('A: b\r\n'.repeat(4), 3), { status: 431, rule: 'field-count' });
  assert.equal(parse('A: b\r\n'.repeat(3), 3).size, 3);
});

test('isToken() and isFieldValue() judge by the tables', () => {
  for (const text of ['GET', "!#$%&'*+-.^_`|~09azAZ"]) assert.ok(isToken(text), text);
  for (const text of ['', 'a b', 'a:', 'a/b', 'é', 'Ł', 'a\n']) assert.ok(!isToken(text), text);
  for (const text of ['', 'a b', 'a\tb', 'é']) assert.ok(isFieldValue(text), text);
  for (const text of [' a', 'a ', 'a\r\nb', '\0', '\u010a', 'a\n']) assert.ok(!isFieldValue(text), text);
});

const TOKEN_LETTERS = "!#$%&'*+-.^_`|~0123456789abcxyzABCXYZ".split('');
const name = fc.string({ unit: fc.constantFrom(...TOKEN_LETTERS), minLength: 1, maxLength: 20 });
const value = fc
  .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constant(9)))
  .map((codes) => String.fromCharCode(...codes).replaceAll(/^[ \t]+|[ \t]+$/g, ''));

test('parseFields() reads back what printFields() writes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (fields) => {
      const block = new HeaderBlock();
      for (const [one, text] of fields) block.append(one, text);
      assert.deepEqual(parse(printFields(block)), block);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('parseFields() throws nothing but HttpSyntaxError', () => {
  const text = fc.string({ unit: fc.constantFrom('\r', '\n', '\r\n', ':', ' ', '\t', 'a', 'Host', '\0', 'é', 'Ł') });
  fc.assert(
    fc.property(text, (one) => {
      if (ruleOf(one) === 'accepted') assert.equal(printFields(parse(one)).includes('\0'), false);
    }),
    { seed: 2, numRuns: 2000 },
  );
});
