import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from './sqlite.ts';

test('addUpload() keeps an upload for good, newest first, and drops what it takes the place of', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-uploads-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const upload = (id: string, addedAt: number): Parameters<typeof store.uploads.addUpload>[0] => ({
    id,
    chain: 'PEM',
    sealedKey: 'sealed',
    addedAt,
  });
  const store = openStore(folder);
  await store.uploads.addUpload(upload('a', 1), []);
  await store.uploads.addUpload(upload('b', 2), []);
  await store.uploads.addUpload(upload('c', 3), ['a']);
  assert.equal(await store.uploads.deleteUpload('nothing'), false);
  store.close();
  const again = openStore(folder);
  t.after(() => again.close());
  assert.deepEqual(await again.uploads.listUploads(), [upload('c', 3), upload('b', 2)]);
  assert.equal(await again.uploads.deleteUpload('c'), true);
  assert.deepEqual(await again.uploads.listUploads(), [upload('b', 2)]);
});
