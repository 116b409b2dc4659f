import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readClientAuth } from './client-auth.ts';

test('readClientAuth() reads no file without end, trusts nobody then, and says what to name', () => {
  const { policy, problem } = readClientAuth({ caFile: '/dev/zero', mode: 'require', at: ['hosts', 0] });
  assert.deepEqual(policy.ca, []);
  assert.equal(problem?.message, 'File "/dev/zero" cannot be read: it is longer than 32 MiB');
  assert.equal(problem?.remedy, 'name a file that holds nothing but PEM');
});
