import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endsWithinASecond, lastEnd, Pulse } from './one-second.ts';

const context = { diagnostic: () => undefined };

test('endsWithinASecond() plays a scenario again until it keeps the second, three times at most', async () => {
  const play = (...taken: readonly number[]) => {
    let plays = 0;
    return {
      plays: () => plays,
      done: endsWithinASecond(context, () => {
        const ms = taken[plays++] ?? 0;
        return Promise.resolve({ acknowledgedAt: 1_000, endedAt: 1_000 + ms });
      }),
    };
  };
  const good = play(-5);
  await good.done;
  assert.equal(good.plays(), 1, 'an end before the acknowledgement is one in time');
  const third = play(3_000, 1_001, 1_000);
  await third.done;
  assert.equal(third.plays(), 3);
  await assert.rejects(
    play(1_001, 5_000, 1_002).done,
    /any of 3 plays: ended 1001 ms .*; ended 5000 ms .*; ended 1002/,
  );
});

test('endsWithinASecond() does not play again what fails otherwise', async () => {
  let plays = 0;
  const failing = endsWithinASecond(context, () => {
    plays++;
    return Promise.reject(new Error('the other person lost the terminal too'));
  });
  await assert.rejects(failing, /the other person/);
  assert.equal(plays, 1);
});

test('lastEnd() is the last of them', async () => {
  assert.equal(await lastEnd([Promise.resolve(5), Promise.resolve(7), Promise.resolve(6)], 'x'), 7);
});

test('a Pulse counts only time in which this process could not run', () => {
  let now = 1_000;
  const pulse = new Pulse(() => now);
  const passes = (ms: number): void => {
    now += ms;
    pulse.beat();
  };
  for (let beat = 0; beat < 5; beat++) passes(25);
  // At 1125 the processor went to somebody else for 600 ms.
  passes(620);
  passes(20);
  pulse.stop();
  assert.equal(pulse.lostIn(1_000, 1_765), 600);
  assert.equal(pulse.lostIn(1_245, 1_345), 100);
  assert.equal(pulse.lostIn(1_000, 1_145), 0);
});
