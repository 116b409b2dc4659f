import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PosternError } from '../core/errors.ts';
import { type PoolWaiter, WaitQueue } from './wait-queue.ts';

function makeWaiter(name: string, told: string[], connectMs = 1_000): PoolWaiter {
  return {
    connectMs,
    maxConnections: 1,
    wantsRecent: false,
    wantsFresh: false,
    wantsUpgrade: false,
    visitor: {},
    onClient: () => undefined,
    onNoClient: (error) => void told.push(`${name}: ${error.message}`),
  };
}

const late = new PosternError('UPSTREAM_BUSY', 'too late');

test('WaitQueue keeps the order of asking, and forgets who lost interest', () => {
  const queue = new WaitQueue();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => makeWaiter(name, []));
  for (const one of [a, b, c]) queue.add(one as PoolWaiter, 0);
  queue.remove(b as PoolWaiter);
  assert.equal(queue.first, a);
  assert.deepEqual([queue.shift(), queue.shift(), queue.shift()], [a, c, undefined]);
  assert.ok(queue.isEmpty);
});

test('WaitQueue.refuseDue() tells those whose time is over, and refuseAll() everybody', () => {
  const told: string[] = [];
  const queue = new WaitQueue();
  for (const [at, name] of ['a', 'b', 'c'].entries()) queue.add(makeWaiter(name, told), at * 100);
  queue.refuseDue(999, () => late);
  assert.deepEqual(told, []);
  queue.refuseDue(1_100, () => late);
  assert.deepEqual(told, ['a: too late', 'b: too late']);
  queue.refuseAll(late);
  assert.deepEqual(told.at(-1), 'c: too late');
  assert.ok(queue.isEmpty);
});

test('WaitQueue takes 1024 and then is full', () => {
  const queue = new WaitQueue();
  for (let count = 0; count < 1_023; count++) queue.add(makeWaiter('x', []), 0);
  assert.equal(queue.isFull, false);
  queue.add(makeWaiter('x', []), 0);
  assert.equal(queue.isFull, true);
});
