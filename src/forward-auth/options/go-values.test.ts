import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatGoDuration, parseGoBool, parseGoDuration, parseGoInt, readCsvRecord } from './go-values.ts';

test('parseGoBool() takes the words of strconv.ParseBool and no other', () => {
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) assert.equal(parseGoBool(text), true);
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False']) assert.equal(parseGoBool(text), false);
  for (const text of ['yes', 'on', 'tRUE', '', ' true', '2']) assert.equal(parseGoBool(text), null);
});

test('parseGoInt() reads numbers of base 0', () => {
  const cases = { '10': 10, '-3': -3, '+4': 4, '0x1F': 31, '0b101': 5, '0o17': 15, '017': 15, '1_000': 1000, '0': 0 };
  for (const [text, value] of Object.entries(cases)) assert.equal(parseGoInt(text), value, text);
  for (const text of ['', 'x', '1.5', '1e3', '08', '_1', '1_', '99999999999999999999', '0x'])
    assert.equal(parseGoInt(text), null, text);
});

test('parseGoDuration() reads what time.ParseDuration reads', () => {
  const cases = {
    '168h0m0s': 604_800_000,
    '1h30m': 5_400_000,
    '1.5h': 5_400_000,
    '.5s': 500,
    '1.s': 1000,
    '300ms': 300,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseGoDuration(text), ms, text);
  assert.equal(parseGoDuration('0'), 0);
  assert.equal(parseGoDuration('-0'), 0);
  assert.equal(parseGoDuration('-1s'), -1000);
  assert.equal(parseGoDuration('1s1h'), 3_601_000);
  assert.equal(parseGoDuration('1us'), 0.001);
  for (const text of ['', '3600', '1d', '1 h', 'h', '.s', '1h ', '9999999h', '1H', '+'])
    assert.equal(parseGoDuration(text), null, text);
});

test('formatGoDuration() writes what parseGoDuration() reads', () => {
  assert.equal(formatGoDuration(604_800_000), '168h0m0s');
  assert.equal(formatGoDuration(90_000), '1m30s');
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), (ms) => parseGoDuration(formatGoDuration(ms)) === ms));
});

test('readCsvRecord() parts at commas, and takes quotes only around a whole item', () => {
  const fields = (text: string): readonly string[] | string => {
    const record = readCsvRecord(text);
    return record.ok ? record.fields : record.wrong;
  };
  assert.deepEqual(fields('a,b'), ['a', 'b']);
  assert.deepEqual(fields('"/developers"'), ['/developers']);
  assert.deepEqual(fields('"a,b",c'), ['a,b', 'c']);
  assert.deepEqual(fields('"a""b"'), ['a"b']);
  assert.deepEqual(fields(' a, b'), [' a', ' b']);
  assert.deepEqual(fields(','), ['', '']);
  assert.equal(fields('a"b'), 'has a quote in the middle of an item');
  assert.equal(fields('"a"b'), 'goes on after a closing quote');
  assert.equal(fields('"a'), 'has a quote that is never closed');
  assert.equal(fields('\n\n'), 'holds only empty lines');
  assert.deepEqual(readCsvRecord('a\nb'), { ok: true, fields: ['a'], rest: 'b' });
});

test('readCsvRecord() reads back what a CSV writer quoted, and never throws', () => {
  const item = fc.string().filter((text) => !text.includes('\r'));
  fc.assert(
    fc.property(fc.array(item, { minLength: 1 }), (items) => {
      const record = readCsvRecord(items.map((one) => `"${one.replaceAll('"', '""')}"`).join(','));
      assert.deepEqual(record.ok && record.fields, items);
    }),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'a') }),
      (text) => typeof readCsvRecord(text).ok === 'boolean',
    ),
  );
});
