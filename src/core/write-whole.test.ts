import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeWhole } from './write-whole.ts';

const dir = mkdtempSync(join(tmpdir(), 'postern-whole-'));
after(() => rmSync(dir, { recursive: true, force: true }));

test('writeWhole() puts a new file in place of the old one, with exactly the mode', () => {
  const path = join(dir, 'a');
  writeFileSync(path, 'old', { mode: 0o666 });
  const reader = openSync(path, 'r');
  const umask = process.umask(0o077);
  try {
    for (const isPrecious of [true, false]) writeWhole(path, `new ${isPrecious}`, { mode: 0o644, isPrecious });
  } finally {
    process.umask(umask);
  }
  assert.equal(readFileSync(path, 'utf8'), 'new false');
  assert.equal(statSync(path).mode & 0o777, 0o644);
  assert.equal(readFileSync(reader, 'utf8'), 'old', 'whoever has the old one open reads it on');
  closeSync(reader);
  assert.deepEqual(readdirSync(dir), ['a']);
});

test('writeWhole() leaves neither a change nor a draft where it fails', () => {
  const folder = join(dir, 'folder');
  mkdirSync(folder);
  assert.throws(() => writeWhole(folder, 'x', { mode: 0o600 }), { code: 'EISDIR' });
  assert.throws(() => writeWhole(join(dir, 'none', 'x'), 'x', { mode: 0o600 }), { code: 'ENOENT' });
  assert.deepEqual(readdirSync(dir).toSorted(), ['a', 'folder']);
});
