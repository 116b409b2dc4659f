import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';

setFlagsFromString('--allow-natives-syntax');
const areStringsFast = runInThisContext('() => %HasFastProperties(String.prototype)') as () => boolean;

test('the Redis link leaves the methods of all strings fast, whatever its client did to them', async () => {
  assert.ok(areStringsFast());
  await import('./redis-link.ts');
  assert.ok(areStringsFast());
});
