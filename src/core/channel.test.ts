import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { openChannel } from './channel.ts';
import { PosternError } from './errors.ts';

type Adder = { add: (a: number, b: number) => number; refuse: () => never };

function rig(): { call: ReturnType<typeof openChannel<Adder>>; close: () => void } {
  const { port1, port2 } = new MessageChannel();
  openChannel(port2, {
    add: (a: number, b: number) => a + b,
    refuse: () => {
      throw new PosternError('OVERLOADED', 'Cannot add: the queue is full');
    },
  });
  return { call: openChannel<Adder>(port1, {}), close: () => port1.close() };
}

test('openChannel() answers a call with its value', async () => {
  const { call, close } = rig();
  assert.equal(await call.call('add', 2, 3), 5);
  close();
});

test('openChannel() carries the code of a PosternError across', async () => {
  const { call, close } = rig();
  await assert.rejects(call.call('refuse'), { code: 'OVERLOADED', message: 'Cannot add: the queue is full' });
  close();
});

test('openChannel() rejects what waits when a side fails', async () => {
  const { call, close } = rig();
  const waits = call.call('add', 1, 1);
  call.fail('Cannot reach worker 1: it ended');
  await assert.rejects(waits, { code: 'INTERNAL' });
  await assert.rejects(call.call('add', 1, 1), /it ended/);
  close();
});
