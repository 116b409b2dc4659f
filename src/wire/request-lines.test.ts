import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestLines } from './request-lines.ts';

test('RequestLines.bytes are made for lines that serve again, one byte a character, with the empty line', () => {
  const lines = new RequestLines('X-Name: caf\u00e9\r\n');
  assert.equal(lines.bytes, null);
  assert.deepEqual(lines.bytes, Buffer.from('X-Name: caf\u00e9\r\n\r\n', 'latin1'));
  assert.equal(lines.bytes, lines.bytes);
});
