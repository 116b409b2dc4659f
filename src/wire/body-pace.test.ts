import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyPace } from './body-pace.ts';

const LIMITS = { maxBodyBytes: -1, bodyIdleMs: 30_000, minBodyRate: 500 };

test('isTooSlow() bears the least rate for ever, and silence as long as may be', () => {
  const pace = new BodyPace();
  pace.flow(1_000, LIMITS.bodyIdleMs);
  for (let second = 1; second < 10_000; second++)
    assert.equal(pace.isTooSlow(1_000 + second * 1_000, second * 500, LIMITS), false);
  assert.equal(pace.isTooSlow(10_029_000, 9_999 * 500, LIMITS), false);
  assert.equal(pace.isTooSlow(10_031_000, 9_999 * 500, LIMITS), true);
});

test('isTooSlow() gives no credit for hours to who sent a lot at first', () => {
  const pace = new BodyPace();
  pace.flow(1_000, LIMITS.bodyIdleMs);
  let bytes = 10_000_000;
  assert.equal(pace.isTooSlow(2_000, bytes, LIMITS), false);
  let now = 2_000;
  while (!pace.isTooSlow((now += 5_000), ++bytes, LIMITS));
  assert.equal(now, 32_000 + 5_000);
});

test('flow() leaves out the time in which nobody took the body', () => {
  const pace = new BodyPace();
  pace.flow(1_000, LIMITS.bodyIdleMs);
  pace.flow(1_500, LIMITS.bodyIdleMs);
  pace.pause(11_000);
  pace.flow(1_000_000, LIMITS.bodyIdleMs);
  assert.equal(pace.isTooSlow(1_019_000, 0, LIMITS), false);
  assert.equal(pace.isTooSlow(1_020_001, 0, LIMITS), true);
  const any = new BodyPace();
  any.flow(0, 1);
  assert.equal(any.isTooSlow(1e9, 0, { ...LIMITS, minBodyRate: 0 }), false);
});
