import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchFiles } from './file-watch.ts';
import { fileState } from './files.ts';

test('watchFiles() does not look at its files for each line of a log in the same folder, and still sees a change', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-watch-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'cert.pem');
  writeFileSync(file, 'before');
  let looks = 0;
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  const stateOf = (path: string): string => {
    looks++;
    return fileState(path);
  };
  const watch = watchFiles({ files: [file], onChange: resolve, settleMs: 10, pollMs: 60_000, stateOf });
  t.after(() => watch.close());
  // What watches keeps no process alive.
  const alive = setInterval(() => undefined, 1_000);
  t.after(() => clearInterval(alive));
  const begun = performance.now();
  const log = join(dir, 'access.log');
  // Each in a turn of its own, as the kernel tells of them.
  for (let i = 0; i < 300; i++) {
    appendFileSync(log, 'a line\n');
    await sleep(1);
  }
  const most = (performance.now() - begun) / 50 + 2;
  assert.ok(looks > 1 && looks <= most, `looked ${looks} times, at most ${most.toFixed(0)} are due`);
  writeFileSync(file, 'after');
  await changed;
});
