import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MOST_BYTES, readAtMost } from './read-at-most.ts';

const dir = mkdtempSync(join(tmpdir(), 'postern-read-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function fileOf(bytes: Buffer | string): string {
  const path = join(dir, 'file');
  writeFileSync(path, bytes);
  return path;
}

test('readAtMost() gives back the whole file, whatever its length says', () => {
  for (const length of [0, 1, 65_535, 65_536, 65_537, 300_000]) {
    const bytes = Buffer.alloc(length, 'postern');
    assert.ok(readAtMost(fileOf(bytes), 300_000).equals(bytes), String(length));
  }
  // It says that it is empty.
  assert.equal(readAtMost('/proc/version').toString(), readFileSync('/proc/version', 'utf8'));
});

test('readAtMost() ends where a file is longer, also one that never ends', () => {
  const tooLarge = { code: 'FILE_TOO_LARGE', message: 'it is longer than 32 MiB' };
  assert.throws(() => readAtMost(fileOf('12345'), 4), { code: 'FILE_TOO_LARGE' });
  for (const device of ['/dev/zero', '/dev/urandom']) assert.throws(() => readAtMost(device), tooLarge);
  const sparse = fileOf('');
  truncateSync(sparse, MOST_BYTES);
  assert.equal(readAtMost(sparse).length, MOST_BYTES);
  truncateSync(sparse, 3 * 1024 ** 3);
  assert.throws(() => readAtMost(sparse), tooLarge);
});

test('readAtMost() passes on what the file system says', () => {
  assert.throws(() => readAtMost(join(dir, 'none')), { code: 'ENOENT' });
  assert.throws(() => readAtMost(dir), { code: 'EISDIR' });
});
