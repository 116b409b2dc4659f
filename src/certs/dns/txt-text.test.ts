import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { quoteTxt, unquoteTxt } from './txt-text.ts';

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 600,
});

test('unquoteTxt() gives back what quoteTxt() was given', () => {
  fc.assert(fc.property(printable, (value) => assert.equal(unquoteTxt(quoteTxt(value)), value)));
});

test('quoteTxt() splits after 255 characters and escapes quotes and backslashes', () => {
  assert.equal(quoteTxt('abc'), '"abc"');
  assert.equal(quoteTxt(''), '""');
  assert.equal(quoteTxt('a"b\\c'), String.raw`"a\"b\\c"`);
  assert.equal(quoteTxt('x'.repeat(300)), `"${'x'.repeat(255)}" "${'x'.repeat(45)}"`);
});

test('unquoteTxt() reads what APIs give: bare, in one string, in several, with decimal escapes', () => {
  assert.equal(unquoteTxt('abc'), 'abc');
  assert.equal(unquoteTxt('"abc" "def"'), 'abcdef');
  assert.equal(unquoteTxt(String.raw`"a\035b\;"`), 'a#b;');
});
