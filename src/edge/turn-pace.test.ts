import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { TurnPace } from './turn-pace.ts';

test('TurnPace begins at once what few ask for, and a crowd a few each turn, in order', async () => {
  const pace = new TurnPace(3);
  const begun: number[] = [];
  for (let i = 0; i < 3; i++) pace.begin(() => begun.push(i));
  assert.deepEqual(begun, [0, 1, 2]);
  for (let i = 3; i < 10; i++) pace.begin(() => begun.push(i));
  assert.equal(begun.length, 3);
  assert.equal(pace.waiting, 7);
  const lengths: number[] = [];
  for (let turns = 0; turns < 4; turns++) {
    await turn();
    lengths.push(begun.length);
  }
  assert.deepEqual(lengths, [6, 9, 10, 10]);
  assert.deepEqual(
    begun,
    Array.from({ length: 10 }, (_, i) => i),
  );
  pace.begin(() => begun.push(10));
  assert.equal(begun.at(-1), 10, 'nobody waits any more');
});

test('TurnPace puts nobody who comes later before those who wait', async () => {
  const pace = new TurnPace(1);
  const begun: string[] = [];
  pace.begin(() => begun.push('a'));
  pace.begin(() => {
    begun.push('b');
    pace.begin(() => begun.push('d'));
  });
  pace.begin(() => begun.push('c'));
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
});
