import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLineWriter } from './line-writer.ts';

function fileOf(t: TestContext): { fd: number; text: () => string } {
  const folder = mkdtempSync(join(tmpdir(), 'postern-lines-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'a');
  t.after(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  return { fd, text: () => readFileSync(path, 'utf8') };
}

test('lines arrive whole, in order, after close()', async (t) => {
  const file = fileOf(t);
  const writer = createLineWriter({ fd: file.fd, flushBytes: 100 });
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index} ü\n`);
  for (const line of lines) assert.equal(writer.write(line), true);
  await writer.close();
  assert.equal(file.text(), lines.join(''));
  assert.equal(writer.dropped(), 0);
});

test('flushSync() writes what waits before the process ends', (t) => {
  const file = fileOf(t);
  const writer = createLineWriter({ fd: file.fd });
  writer.write('last words\n');
  writer.flushSync();
  assert.equal(file.text(), 'last words\n');
});

test('a buffer that is full drops lines and counts them', async (t) => {
  const file = fileOf(t);
  const writer = createLineWriter({ fd: file.fd, maxPendingBytes: 20 });
  assert.equal(writer.write('0123456789\n'), true);
  assert.equal(writer.write('0123456789\n'), false);
  assert.equal(writer.dropped(), 1);
  await writer.close();
  assert.equal(file.text(), '0123456789\n');
});

test('a write that fails counts its lines and does not throw', async () => {
  const fd = openSync('/dev/full', 'w');
  const writer = createLineWriter({ fd });
  writer.write('a\n');
  writer.write('b\n');
  await writer.close();
  assert.equal(writer.dropped(), 2);
  closeSync(fd);
});

/** Threads of one process that write to the same pipe as fast as they can. */
const STORM = `
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { createLineWriter } from '${new URL('line-writer.ts', import.meta.url).href}';
if (isMainThread) {
  for (const name of ['a', 'b', 'c']) new Worker(new URL(import.meta.url), { workerData: name });
} else {
  const writer = createLineWriter({ fd: 1, flushBytes: 16384, maxPendingBytes: 64 << 20 });
  for (let n = 0; n < 1500; n += 1) writer.write(workerData.repeat(50 + (n % 300)) + '|\\n');
  await writer.close();
}`;

test('threads that share a pipe with a slow reader do not tear lines', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-storm-'));
  const script = join(folder, 'storm.mts');
  writeFileSync(script, STORM);
  // A shell makes the pipe: Node's own would be a socket pair.
  const child = spawn('sh', ['-c', `"${process.execPath}" "${script}" | (sleep 0.2; cat)`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
  rmSync(folder, { recursive: true });
  assert.equal(lines.length, 4_500);
  for (const line of lines) assert.match(line, /^(a+|b+|c+)\|$/);
});

test('a reader that stops never blocks the writer', () => {
  const script = `
    import { createLineWriter } from '${new URL('line-writer.ts', import.meta.url).href}';
    const writer = createLineWriter({ fd: 1, maxPendingBytes: 100000 });
    for (let n = 0; n < 1000; n += 1) { for (let m = 0; m < 10; m += 1) writer.write('x'.repeat(99) + '\\n'); if (n % 100 === 0) await new Promise(setImmediate); }
    process.stderr.write(writer.dropped() > 1000 ? 'dropped' : 'kept');
    process.kill(process.pid, 'SIGKILL');`;
  const answer = spawnSync('sh', ['-c', '"$0" --input-type=module -e "$1" | sleep 1.5', process.execPath, script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.match(answer.stderr, /^dropped/);
});
