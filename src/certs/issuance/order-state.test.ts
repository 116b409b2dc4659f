import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NEW_ORDER, parseOrderState } from './order-state.ts';

test('parseOrderState() reads what was kept, and takes whatever else for a new order', () => {
  const state = { ...NEW_ORDER, failures: 3, nextAt: 5, problem: { message: 'x', at: 1 } };
  assert.deepEqual(parseOrderState(JSON.stringify(state)), state);
  for (const text of ['{}', '', 'null', '[]', '{"failures":-1}']) assert.deepEqual(parseOrderState(text), NEW_ORDER);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      assert.ok(parseOrderState(text).failures >= 0);
    }),
  );
});
