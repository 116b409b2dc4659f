import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTimeLimit } from '../../test/support/time-limit.ts';

/** In a small heap, beside a thread that allocates in it, as those do in which V8 compiles; each start waits sooner or later. */
const FLAGS = ['--stress-concurrent-allocation', '--max-old-space-size=30'];
const STARTS = 4;
const EXIT_CODE = 3;
const WAIT_MS = 20_000;

function startThatEnds(): ChildProcess {
  const program = `
    const { endProcess } = await import(${JSON.stringify(new URL('end-process.ts', import.meta.url).href)});
    const until = performance.now() + 400;
    const kept = [];
    while (performance.now() < until) if (kept.length < 60000) kept.push({ is: [kept.length] });
    endProcess(${EXIT_CODE});`;
  return spawn(process.execPath, [...FLAGS, '--input-type=module', '-e', program], { stdio: 'ignore' });
}

async function isEnded(child: ChildProcess): Promise<boolean> {
  const isOver = createTimeLimit(WAIT_MS);
  while (child.exitCode === null && child.signalCode === null) {
    if (isOver()) {
      child.kill('SIGKILL');
      return false;
    }
    // oxlint-disable-next-line no-await-in-loop -- one look after another
    await sleep(20);
  }
  return true;
}

test('endProcess() ends though another thread waits for this one, with the exit code', async () => {
  const children = Array.from({ length: STARTS }, startThatEnds);
  assert.deepEqual(
    await Promise.all(children.map(isEnded)),
    children.map(() => true),
  );
  // Under these flags V8 itself ends a few by a signal.
  const codes = children.map(({ exitCode }) => exitCode).filter((code) => code !== null);
  assert.deepEqual([...new Set(codes)], [EXIT_CODE]);
});

test('endProcess() does not wait for what keeps the process alive', async () => {
  const url = JSON.stringify(new URL('end-process.ts', import.meta.url).href);
  const program = `setInterval(() => {}, 1000); (await import(${url})).endProcess(${EXIT_CODE});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
  assert.deepEqual([await isEnded(child), child.exitCode], [true, EXIT_CODE]);
});

test('endProcess() keeps the exit code of what failed first, whatever ends well behind it', async () => {
  const url = JSON.stringify(new URL('end-process.ts', import.meta.url).href);
  for (const held of ['', 'setInterval(() => {}, 1000);']) {
    const program = `${held} const { endProcess } = await import(${url}); endProcess(${EXIT_CODE}); endProcess(0);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
    // oxlint-disable-next-line no-await-in-loop -- one process after another
    assert.deepEqual([await isEnded(child), child.exitCode], [true, EXIT_CODE]);
  }
});
