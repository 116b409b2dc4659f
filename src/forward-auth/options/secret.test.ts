import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { soundSecret } from './build-cookie.ts';
import { fileSecret } from './secret.ts';

test('fileSecret() follows its file, without the newline at its end, and keeps the last while it is gone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'secret');
  const put = (text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  let now = 0;
  put('first\n');
  const secret = fileSecret(file, { now: () => now });
  const read = (): string => secret.read().toString();
  assert.equal(read(), 'first');
  put('second\r\n');
  assert.equal(read(), 'first', 'a file is looked at once a second');
  now += 1000;
  assert.equal(read(), 'second');
  rmSync(file);
  now += 1000;
  assert.equal(read(), 'second');
  put('');
  now += 1000;
  assert.equal(read(), 'second', 'an empty file is one that is being written');
  put(' third ');
  now += 1000;
  assert.equal(read(), ' third ');
});

test('soundSecret() keeps the last that is 16, 24 or 32 bytes, and reads standard base64 as URL-safe', () => {
  let bytes = Buffer.from('0123456789abcdef');
  const secret = soundSecret({ read: () => bytes });
  assert.equal(secret.read().toString(), '0123456789abcdef');
  bytes = Buffer.from('half-written');
  assert.equal(secret.read().toString(), '0123456789abcdef');
  bytes = Buffer.from(Buffer.alloc(32, 0xfb).toString('base64'));
  assert.equal(
    secret.read().toString(),
    Buffer.alloc(32, 0xfb).toString('base64').replaceAll('+', '-').replaceAll('/', '_'),
  );
});
