import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { ephemeralReason } from './ephemeral-folder.ts';

test('ephemeralReason() tells folders that do not outlive the process', () => {
  assert.equal(
    ephemeralReason('/x', () => 0x0102_1994),
    'is in memory',
  );
  assert.equal(
    ephemeralReason('/x', () => 0x794c_7630),
    "is inside of a container's own layer",
  );
  assert.equal(
    ephemeralReason('/x', () => 0xef53),
    null,
  );
  assert.equal(ephemeralReason('/does/not/exist'), null);
});

test(
  'ephemeralReason() knows the shared memory of this machine',
  { skip: !existsSync('/dev/shm') && 'no /dev/shm' },
  () => {
    assert.equal(ephemeralReason('/dev/shm'), 'is in memory');
  },
);
