import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBounds } from './body-bounds.ts';

const LIMITS = { maxBodyBytes: -1, bodyIdleMs: 30_000, minBodyRate: 500 };

test('checkPace() bears the least rate for ever, and silence as long as may be', () => {
  const bounds = new BodyBounds(LIMITS);
  bounds.flow(1_000);
  for (let second = 1; second < 10_000; second++) {
    const now = 1_000 + second * 1_000;
    bounds.heard(now);
    assert.equal(bounds.checkPace(now, second * 500), null);
  }
  assert.equal(bounds.checkPace(10_029_000, 9_999 * 500), null);
  assert.equal(bounds.checkPace(10_031_000, 9_999 * 500)?.rule, 'body-timeout');
});

test('checkPace() gives no credit for hours to who sent a lot at first', () => {
  const bounds = new BodyBounds(LIMITS);
  let bytes = 10_000_000;
  let now = 2_000;
  bounds.flow(1_000);
  bounds.heard(now);
  assert.equal(bounds.checkPace(now, bytes), null);
  const trickle = (): string | undefined => {
    bounds.heard((now += 5_000));
    return bounds.checkPace(now, ++bytes)?.rule;
  };
  let rule = trickle();
  while (rule === undefined) rule = trickle();
  assert.deepEqual([rule, now], ['body-rate', 32_000 + 5_000]);
});

test('flow() leaves out the time in which nobody took the body', () => {
  const bounds = new BodyBounds({ ...LIMITS, minBodyRate: 1 });
  bounds.flow(1_000);
  bounds.flow(1_500);
  bounds.pause(11_000);
  bounds.flow(1_000_000);
  assert.equal(bounds.checkPace(1_019_000, 0), null);
  assert.equal(bounds.checkPace(1_020_001, 0)?.rule, 'body-rate');
  const any = new BodyBounds({ ...LIMITS, minBodyRate: 0 });
  any.flow(0);
  any.heard(1e9);
  assert.equal(any.checkPace(1e9, 0), null);
});

test('checkSize() takes what the route takes and not a byte more, and change() counts at once', () => {
  const bounds = new BodyBounds({ ...LIMITS, maxBodyBytes: 10 });
  assert.equal(bounds.checkSize(10), null);
  assert.deepEqual([bounds.checkSize(11)?.status, bounds.checkSize(11)?.rule], [413, 'body-size']);
  bounds.change({ maxBodyBytes: -1 });
  assert.equal(bounds.checkSize(Number.MAX_SAFE_INTEGER), null);
});
