import assert from 'node:assert/strict';
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
