import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createKept } from './kept.ts';

test('createKept() under a clock that is set back asks as before: nobody is sent to a provider that is dead by now', async () => {
  let now = 1_800_000_000_000;
  let asked = 0;
  let isUp = true;
  const kept = createKept({
    clock: { now: () => now },
    fetch: () => (asked++, isUp ? Promise.resolve(asked) : Promise.reject(new Error('away'))),
    onFailure: () => undefined,
    onSuccess: () => undefined,
  });
  try {
    assert.equal(await kept.confirm(), 1);
    assert.equal(await kept.confirm(), 1, 'a moment ago');
    now -= 3 * 3_600_000;
    assert.equal(await kept.get(), 1, 'the old one serves while the new one is fetched');
    assert.equal(await kept.confirm(), 2);
    assert.equal(asked, 2);
    await setImmediate();
    now -= 3_600_000;
    isUp = false;
    await assert.rejects(kept.confirm(), /away/);
    isUp = true;
    now -= 3_600_000;
    assert.equal(await kept.confirm(), 4, 'a failure of later is none of now');
  } finally {
    kept.close();
  }
});
