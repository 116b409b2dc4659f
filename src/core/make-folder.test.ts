import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileTrouble } from './file-trouble.ts';
import { makeFolder } from './make-folder.ts';

const dir = mkdtempSync(join(tmpdir(), 'postern-folder-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function whyNot(path: string): string {
  try {
    makeFolder(path, 0o700);
  } catch (error) {
    return fileTrouble(error, { place: 'PLACE', rights: 'RIGHTS' });
  }
  return 'made';
}

test('makeFolder() makes what is missing with the mode, and leaves what is there', () => {
  mkdirSync(join(dir, 'old'), { mode: 0o755 });
  makeFolder(join(dir, 'old', 'a', 'b'), 0o700);
  makeFolder(join(dir, 'old'), 0o700);
  const modes = ['old', 'old/a', 'old/a/b'].map((name) => statSync(join(dir, name)).mode & 0o777);
  assert.deepEqual(modes, [0o755, 0o700, 0o700]);
  symlinkSync(join(dir, 'old'), join(dir, 'link'));
  makeFolder(join(dir, 'link', 'c'), 0o700);
  assert.ok(statSync(join(dir, 'old', 'c')).isDirectory());
});

test('makeFolder() makes a folder that can be entered whatever the umask is', () => {
  for (const umask of [0o777, 0o177, 0o277, 0o077]) {
    const path = join(dir, umask.toString(8), 'data');
    const before = process.umask(umask);
    try {
      makeFolder(path, 0o700);
    } finally {
      process.umask(before);
    }
    assert.deepEqual([statSync(path).mode & 0o777, statSync(join(path, '..')).mode & 0o777], [0o700, 0o700]);
  }
});

test('makeFolder() ends where mkdir by itself would ask for ever, and fileTrouble() says why and what helps', () => {
  assert.equal(whyNot('/proc/postern/below'), 'it cannot be made there; PLACE');
  writeFileSync(join(dir, 'file'), '');
  assert.equal(whyNot(join(dir, 'file')), 'it is not a folder; PLACE');
  assert.equal(whyNot(join(dir, 'file', 'below')), 'a part of the path is not a folder; PLACE');
  symlinkSync(join(dir, 'circle'), join(dir, 'circle'));
  assert.equal(whyNot(join(dir, 'circle')), 'its symbolic links lead nowhere; PLACE');
  assert.equal(whyNot(join(dir, 'x'.repeat(300))), 'the name is too long; PLACE');
});

test('fileTrouble() tells rights from space, and passes on what it does not know', () => {
  const words = { place: 'PLACE', rights: 'RIGHTS' };
  const of = (code: string): string => fileTrouble(Object.assign(new Error('other words'), { code }), words);
  assert.equal(of('EACCES'), 'permission denied; RIGHTS');
  assert.equal(of('ENOSPC'), 'the disk is full; free some space');
  assert.equal(of('EIO'), 'other words; PLACE');
  assert.equal(fileTrouble('odd', words), 'odd; PLACE');
});
