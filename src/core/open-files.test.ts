import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileTrouble } from './file-trouble.ts';
import { assertMoreOpenFiles, assertOpenFiles, openFilesNeeded } from './open-files.ts';

test('assertOpenFiles() names what is allowed, what is needed and the remedy', () => {
  const two = { count: 2, addresses: 2 };
  const needed = openFilesNeeded(two);
  assert.throws(() => assertOpenFiles(two, needed - 1), {
    code: 'OPERATION_REFUSED',
    message: `Cannot start: ${needed - 1} open files are allowed here, and Postern with 2 workers needs ${needed} at least; raise LimitNOFILE= of the unit, or "ulimit -n", or set fewer "workers:"`,
  });
  assert.throws(() => assertOpenFiles({ count: 1, addresses: 1 }, 0), {
    message: /with 1 worker needs .*"ulimit -n"$/,
  });
  assert.throws(() => assertOpenFiles(null, 21), {
    message: /^Cannot start: 21 open files .* Postern needs \d+ at least/,
  });
  assertOpenFiles(two, needed);
  assertOpenFiles(two, null);
  assertOpenFiles(null);
});

test('assertMoreOpenFiles() counts what a reload adds to what is open, and refuses none that adds nothing', () => {
  const one = { count: 1, addresses: 1 };
  const four = { count: 4, addresses: 1 };
  assert.throws(() => assertMoreOpenFiles(one, four, { limit: 100, open: 80 }), {
    code: 'OPERATION_REFUSED',
    message:
      'Cannot reload: 100 open files are allowed here, 80 are open, and the document needs 21 more; raise LimitNOFILE= of the unit, or "ulimit -n", or set fewer "workers:"',
  });
  assert.throws(() => assertMoreOpenFiles(four, { count: 4, addresses: 3 }, { limit: 100, open: 90 }), {
    message: /needs 8 more; .*"ulimit -n"$/,
  });
  assertMoreOpenFiles(one, four, { limit: 100, open: 71 });
  assertMoreOpenFiles(one, four, null);
  for (const next of [one, four]) assertMoreOpenFiles(four, next, { limit: 100, open: 100 });
});

test('fileTrouble() blames the limit and not the place where no descriptors are left', () => {
  const error = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
  const told = fileTrouble(error, { place: 'PLACE', rights: 'RIGHTS' });
  assert.equal(told, 'no file descriptors are left; raise LimitNOFILE= of the unit, or "ulimit -n"');
});
