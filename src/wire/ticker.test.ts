import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { createTicker } from './ticker.ts';

test('createTicker() ticks its members with the clock handed in, until they leave', (t) => {
  let now = 1_000;
  const ticker = createTicker({ intervalMs: 60_000, leadMs: 0, now: () => now });
  t.after(() => ticker.close());
  const ticks: number[] = [];
  const member = { tick: (at: number) => ticks.push(at) };
  const leaver = { tick: () => ticker.remove(leaver) };
  ticker.add(leaver);
  ticker.add(member);
  assert.equal(ticker.now, 1_000);
  now = 1_500;
  assert.equal(ticker.now, 1_000);
  ticker.tick();
  ticker.remove(member);
  ticker.tick();
  assert.equal(ticker.now, 1_500);
  assert.deepEqual(ticks, [1_500]);
});

test('ticker.now never lags behind the clock, so that no deadline that counts from it comes early', (t) => {
  let now = 1_000;
  const ticker = createTicker({ intervalMs: 250, now: () => now });
  t.after(() => ticker.close());
  const deadline = ticker.now + 100;
  now = 1_249;
  assert.ok(ticker.now >= now);
  const begun = now;
  now = 1_250;
  const ticks: number[] = [];
  ticker.add({ tick: (at) => ticks.push(at) });
  ticker.tick();
  assert.deepEqual(ticks, [1_250]);
  assert.ok((ticks[0] ?? 0) < deadline && deadline - begun >= 100);
});

test('After a stand-still what clients have sent meanwhile is read before any deadline is looked at', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown];
  t.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  let at = 0;
  const ticker = createTicker({ intervalMs: 20, now: () => at });
  t.after(() => ticker.close());
  const seen: string[] = [];
  let isLate = true;
  socket.on('data', () => {
    seen.push('data');
    isLate = ticker.now < at;
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  ticker.add({ tick: () => (seen.push('tick'), seen.includes('data') && resolve()) });
  // Behind the poll of this turn, so that the timer is what comes next.
  await new Promise(setImmediate);
  seen.length = 0;
  client.write('GET');
  at += 60_000;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  await promise;
  assert.equal(seen[0], 'data');
  assert.equal(isLate, false, 'and what it begins has its time from now on');
});
