import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchDocument } from './watch-document.ts';

const LOOK_MS = 10;

interface Rig {
  readonly dir: string;
  readonly file: string;
  /** Reloads seen so far. */
  readonly count: () => number;
  readonly reloaded: (times: number) => Promise<void>;
  readonly ask: (asked: boolean) => void;
}

function rig(t: TestContext, prepare: (dir: string) => string, named: readonly string[] = []): Rig {
  const dir = mkdtempSync(join(tmpdir(), 'postern-watch-'));
  const file = prepare(dir);
  const seen = { reloads: 0 };
  let isAsked = true;
  const watcher = watchDocument({ files: () => [file, ...named.map((name) => join(dir, name))] }, LOOK_MS);
  const keepAlive = setInterval(() => undefined, 1_000);
  watcher.start(
    () => isAsked,
    () => Promise.resolve((seen.reloads += 1)),
  );
  t.after(() => {
    watcher.close();
    clearInterval(keepAlive);
    rmSync(dir, { recursive: true, force: true });
  });
  const reloaded = async (times: number): Promise<void> => {
    for (let i = 0; i < 3_000 && seen.reloads < times; i++) await sleep(LOOK_MS);
    // And no more than that.
    await sleep(LOOK_MS * 6);
    assert.equal(seen.reloads, times);
  };
  return { dir, file, count: () => seen.reloads, reloaded, ask: (asked) => (isAsked = asked) };
}

function plain(dir: string): string {
  writeFileSync(join(dir, 'postern.yaml'), 'one');
  return join(dir, 'postern.yaml');
}

test('watchDocument() reloads once for a write in place, an atomic rename, and a file that comes back', async (t) => {
  const { dir, file, reloaded } = rig(t, plain);
  await reloaded(0);
  writeFileSync(file, 'two');
  await reloaded(1);
  writeFileSync(join(dir, 'new'), 'three');
  renameSync(join(dir, 'new'), file);
  await reloaded(2);
  rmSync(file);
  await reloaded(3);
  writeFileSync(file, 'four');
  await reloaded(4);
});

test('watchDocument() sees the symbolic links that Kubernetes swaps under a ConfigMap', async (t) => {
  const { dir, reloaded } = rig(t, (folder) => {
    for (const version of ['..v1', '..v2']) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'postern.yaml'), 'same text');
    }
    symlinkSync('..v1', join(folder, '..data'));
    symlinkSync(join('..data', 'postern.yaml'), join(folder, 'postern.yaml'));
    return join(folder, 'postern.yaml');
  });
  symlinkSync('..v2', join(dir, '..data_tmp'));
  renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
  await reloaded(1);
});

test('watchDocument() sees a folder on the way to the document that is swapped', async (t) => {
  const { dir, reloaded } = rig(t, (folder) => {
    for (const version of ['r1', 'r2']) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'postern.yaml'), version);
    }
    symlinkSync('r1', join(folder, 'current'));
    return join(folder, 'current', 'postern.yaml');
  });
  symlinkSync('r2', join(dir, 'next'));
  renameSync(join(dir, 'next'), join(dir, 'current'));
  await reloaded(1);
});

test('watchDocument() watches the files that the document names, and nothing while it is not asked to', async (t) => {
  const { dir, file, reloaded, ask } = rig(t, plain, ['secret']);
  writeFileSync(join(dir, 'secret'), 'x');
  await reloaded(1);
  ask(false);
  writeFileSync(file, 'not asked');
  await reloaded(1);
  ask(true);
  await reloaded(2);
});

test('watchDocument() reads a document that is written in many steps when it holds still', async (t) => {
  const { file, count, reloaded } = rig(t, plain);
  for (let i = 0; i < 20; i++) {
    writeFileSync(file, 'x'.repeat(i));
    await sleep(1);
  }
  for (let i = 0; i < 3_000 && count() < 1; i++) await sleep(LOOK_MS);
  assert.ok(count() >= 1);
  await sleep(LOOK_MS * 20);
  // Nothing more comes once it holds still.
  await reloaded(count());
});
