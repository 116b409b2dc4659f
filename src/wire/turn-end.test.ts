import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import type { Socket } from 'node:net';
import { LateWrite, sendWaiting } from './turn-end.ts';

/** What is written by each, in order. */
function rig(): { readonly open: (name: string) => LateWrite; readonly written: string[] } {
  const written: string[] = [];
  const open = (name: string): LateWrite => {
    const socket = new PassThrough();
    socket.write = (chunk: Buffer | string): boolean => written.push(`${name} ${chunk.toString()}`) > 0;
    return new LateWrite(socket as unknown as Socket);
  };
  return { open, written };
}

test('LateWrite writes at the end of the turn, each in the order in which it was given', async () => {
  const { open, written } = rig();
  const [a, b] = [open('a'), open('b')];
  a.put(Buffer.from('1'));
  b.put('2');
  assert.deepEqual(written, []);
  await setImmediate();
  assert.deepEqual(written, ['a 1', 'b 2']);
  b.put('3');
  await setImmediate();
  await setImmediate();
  assert.deepEqual(written, ['a 1', 'b 2', 'b 3'], 'the next turn again, and nothing twice');
});

test('LateWrite writes what waits before what is given next, and once', async () => {
  const { open, written } = rig();
  const one = open('a');
  one.put('1');
  one.put('2');
  assert.deepEqual(written, ['a 1']);
  one.send();
  one.send();
  assert.deepEqual(written, ['a 1', 'a 2']);
  one.put('3');
  one.drop();
  await setImmediate();
  assert.deepEqual(written, ['a 1', 'a 2'], 'what was dropped is not written');
});

test('LateWrite does not wait for the end of a turn that takes long, nor where somebody says so', () => {
  const { open, written } = rig();
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const [first, ...others] = names.map((name) => open(name));
  first?.put('1');
  const until = performance.now() + 2;
  while (performance.now() < until);
  for (const one of others) one.put('1');
  const all = names.map((name) => `${name} 1`);
  assert.deepEqual(written, all, 'the clock is looked at once for eight');
  first?.put('2');
  sendWaiting();
  assert.deepEqual(written, [...all, 'a 2']);
});

test('sendWaiting() sends what is given while it sends in its turn', async () => {
  const { open, written } = rig();
  const later = open('later');
  const socket = new PassThrough();
  socket.write = (): boolean => {
    later.put('2');
    return true;
  };
  const one = new LateWrite(socket as unknown as Socket);
  one.put('1');
  sendWaiting();
  assert.deepEqual(written, []);
  await setImmediate();
  assert.deepEqual(written, ['later 2']);
});
