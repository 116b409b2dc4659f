import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNameLock } from './name-lock.ts';

const signal = new AbortController().signal;

test('createNameLock() runs the work of one name in turn, that of others beside it, also after a failure', async () => {
  const lock = createNameLock();
  const seen: string[] = [];
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const first = lock('a', async () => held.then(() => assert.fail('broken')), signal);
  const second = lock('a', async () => void seen.push('a2'), signal);
  await lock('b', async () => void seen.push('b'), signal);
  assert.deepEqual(seen, ['b']);
  release();
  await assert.rejects(first, /broken/);
  await second;
  assert.deepEqual(seen, ['b', 'a2']);
});

test('createNameLock() lets go who is told to stop waiting, and keeps the order of the others', async () => {
  const lock = createNameLock();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const controller = new AbortController();
  const first = lock('a', () => held, signal);
  const waiting = lock('a', async () => assert.fail('must not run'), controller.signal);
  let third = false;
  const last = lock('a', async () => void (third = true), signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  assert.equal(third, false, 'the first still holds it');
  release();
  await Promise.all([first, last]);
  assert.equal(third, true);
});
