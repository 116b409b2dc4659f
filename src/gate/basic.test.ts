import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBasic } from './basic.ts';

test('parseBasic() takes exactly one name and password', () => {
  assert.deepEqual(parseBasic('basic YTpiOmM='), { name: 'a', password: 'b:c' });
  for (const text of [
    'Basic',
    'Basic YQ==',
    'Basic OmI=',
    'Basic YTpi YTpi',
    `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`,
    `Basic ${'A'.repeat(3_000)}`,
  ]) {
    assert.equal(parseBasic(text), null, text.slice(0, 30));
  }
});
