import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefreshPace } from './refresh-pace.ts';

/** After so many questions of which each took so many milliseconds of CPU. */
function paceAfter(questions: number, costMs: number, start = 0): { pace: RefreshPace; more: (ms: number) => void } {
  let cpuMs = start;
  const pace = new RefreshPace({ rest: () => Promise.resolve(), cpuMs: () => cpuMs });
  const more = (ms: number): void => {
    cpuMs += ms;
    pace.settled();
  };
  for (let i = 0; i < questions; i++) more(costMs);
  return { pace, more };
}

const pausesOf = (pace: RefreshPace): number[] => [0, 60_001, 1_200_001].map((behindMs) => pace.pauseMs(behindMs));

test('RefreshPace pauses as long as was found to be right where a question costs what it did there, or less', () => {
  for (const { pace } of [paceAfter(0, 0), paceAfter(500, 1.7), paceAfter(500, 0.2)])
    assert.deepEqual(pausesOf(pace), [800, 150, 0]);
});

test('RefreshPace keeps to its part of the core where a question costs more, for as many times longer a wave', () => {
  const { pace } = paceAfter(500, 2.55);
  assert.deepEqual(pausesOf(pace), [1200, 1200, 225]);
  assert.deepEqual([pace.pauseMs(90_001), pace.pauseMs(1_800_001)], [225, 0]);
});

test('RefreshPace never pauses more than twice as long, and forgets what one question cost', () => {
  const { pace, more } = paceAfter(500, 1_000);
  assert.deepEqual(pausesOf(pace), [1600, 1600, 300]);
  assert.equal(pace.pauseMs(2_400_001), 0, 'nobody is put off for ever');
  for (let i = 0; i < 64; i++) more(1.7);
  assert.ok(pace.pauseMs(0) < 1_000);
  // Of a day in which nobody was due.
  const { pace: idle, more: later } = paceAfter(500, 1.7);
  later(3_600_000);
  assert.ok(idle.pauseMs(0) < 1_400);
});

test('RefreshPace counts from when it was made: what a start costs is no question', () => {
  assert.deepEqual(pausesOf(paceAfter(16, 1.7, 90_000).pace), [800, 150, 0]);
});
