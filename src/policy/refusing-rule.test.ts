import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusingRule } from './refusing-rule.ts';
import type { RuleTrace } from './facts.ts';

const traceOf = (list: RuleTrace['list'], rule: string): RuleTrace => ({
  list,
  rule,
  matched: false,
  reason: `not ${rule}`,
  decisive: false,
  couldHelp: null,
  parts: [],
});

test('refusingRule() names the rule that refused, without asking for more', () => {
  const refused = refusingRule({ rule: 'user:bob', reason: 'user is "bob"' }, () => assert.fail('asked'));
  assert.deepEqual(refused, { rule: 'user:bob', reason: 'user is "bob"' });
});

test('refusingRule() names what could have let somebody in, where none of it did', () => {
  const decision = { rule: '(no rule)', reason: 'none of 2 allow rules matches' };
  const traces = [traceOf('deny', 'ip:192.0.2.1'), traceOf('allow', 'user:ann'), traceOf('allow', 'group:staff')];
  assert.deepEqual(refusingRule(decision, () => traces).tried, [
    { rule: 'user:ann', reason: 'not user:ann' },
    { rule: 'group:staff', reason: 'not group:staff' },
  ]);
  assert.deepEqual(
    refusingRule(decision, () => []),
    decision,
  );
  const many = Array.from({ length: 5_000 }, (_, at) => traceOf('allow', `user:u${at}`));
  assert.equal(refusingRule(decision, () => many).tried?.length, 20, 'a page has an end');
});
