import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleText } from './rule-text.ts';
import type { Person } from '../core/person.ts';
import { ALICE, facts, kindFor, person, policyOf, PROMTAIL } from './_policy-fixture.ts';
import { describeDecision } from './explain.ts';
import { compilePolicy, type CompiledPolicy } from './compile.ts';
import type { StepUp } from './facts.ts';

test('require: second-factor asks persons for one, refuses whom the rules refuse, and lets machines be', () => {
  const rules = (...texts: RuleText[]) => texts.map((rule, index) => ({ rule, at: [index] }));
  const { policy } = compilePolicy({
    allow: rules('user:alice', 'service:promtail', { when: 'path == "/open"' }),
    routeDeny: rules('group:blocked'),
    hostDeny: [],
    providers: [{ id: 'local', type: 'local' }],
    require: { secondFactor: true, acr: [], maxAgeMs: null },
  });
  const withFactor = person('alice', { amr: ['pwd', 'otp', 'mfa'] });
  const needs = {
    kind: 'sign-in',
    rule: 'require: second-factor',
    needs: { secondFactor: true, acr: [], maxAgeMs: null },
  };
  assert.deepEqual(policy.decide(facts({ identity: ALICE })), needs);
  assert.equal(kindFor(policy, { identity: withFactor }), 'allow');
  assert.equal(kindFor(policy, { identity: person('bob', { amr: ['mfa'] }) }), 'deny');
  assert.equal(kindFor(policy, { identity: person('alice', { groups: ['blocked'], amr: ['mfa'] }) }), 'deny');
  assert.equal(kindFor(policy, { identity: PROMTAIL }), 'allow');
  const open = { method: 'GET', host: 'app.example.com', path: '/open', query: '' };
  assert.deepEqual(policy.decide(facts({ request: open })), needs, 'nobody in particular has shown none either');
  assert.equal(kindFor(policy), 'sign-in');
  assert.equal(policy.isPublic, false);
  assert.equal(policyOf('user:alice').id === policy.id, false);
  const traces = policy.explain(facts({ identity: ALICE }));
  assert.deepEqual(
    traces.filter((trace) => trace.decisive).map(({ rule, reason }) => [rule, reason]),
    [['require: second-factor', 'signed in by pwd']],
  );
});

const MINUTE = 60_000;
const NOW = Date.UTC(2030, 0, 1);

function requiring(wanted: Partial<StepUp>): CompiledPolicy {
  const rules = (...texts: RuleText[]) => texts.map((rule, index) => ({ rule, at: [index] }));
  return compilePolicy({
    allow: rules('keycloak:user:alice', 'local:user:alice', 'service:promtail', 'token:ci'),
    routeDeny: [],
    hostDeny: [],
    providers: [
      { id: 'local', type: 'local' },
      { id: 'keycloak', type: 'oidc' },
    ],
    require: { secondFactor: false, acr: [], maxAgeMs: null, ...wanted },
  }).policy;
}

test('require: max_age lets in whoever signed in a moment ago, and asks everybody else again', () => {
  const policy = requiring({ maxAgeMs: 15 * MINUTE });
  const needs = { secondFactor: false, acr: [], maxAgeMs: 15 * MINUTE };
  const kindAt = (authenticatedAt: number | null | undefined, now: number | undefined = NOW): string => {
    const over = authenticatedAt === undefined ? {} : { authenticatedAt };
    return kindFor(policy, { identity: person('alice', over), ...(now === undefined ? {} : { now }) });
  };
  assert.equal(kindAt(NOW), 'allow');
  assert.equal(kindAt(NOW - 15 * MINUTE + 1), 'allow');
  for (const [at, now, why] of [
    [NOW - 15 * MINUTE, NOW, 'too old'],
    [null, NOW, 'not known'],
    [undefined, NOW, 'a session from before it was kept'],
    [NOW, 0, 'a clock that nobody gave'],
    [NOW + 2 * MINUTE, NOW, 'in the future'],
    [Number.NaN, NOW, 'no number'],
  ] as const)
    assert.equal(kindAt(at, now), 'sign-in', why);
  assert.equal(kindFor(policy, { identity: person('alice', { authenticatedAt: NOW }) }), 'sign-in', 'no clock');
  const decision = policy.decide(facts({ identity: ALICE, now: NOW }));
  assert.deepEqual(decision, { kind: 'sign-in', rule: 'require: max_age 15m', needs });
  assert.equal(
    describeDecision(decision),
    'Asked for a sign-in that is less than 15m old: the rules let the person in',
  );
  assert.equal(policy.maxAgeMs, 15 * MINUTE);
  assert.equal(kindFor(policy, { identity: PROMTAIL, now: NOW }), 'allow', 'a machine does not sign in');
  assert.equal(kindFor(policy, { identity: person('bob', { authenticatedAt: NOW }), now: NOW }), 'deny');
  const old = facts({ identity: person('alice', { authenticatedAt: NOW - 90 * MINUTE }), now: NOW });
  assert.deepEqual(
    policy
      .explain(old)
      .filter((trace) => trace.decisive)
      .map(({ rule, reason, couldHelp }) => [rule, reason, couldHelp]),
    [['require: max_age 15m', 'signed in 1h30m ago', 'sign-in']],
  );
});

test('require: acr takes one of the levels, by the letter, and of a local account a second factor', () => {
  const policy = requiring({ acr: ['gold', 'platinum'] });
  const of = (over: Partial<Person>): string =>
    kindFor(policy, { identity: person('alice', { provider: 'keycloak', ...over }), now: NOW });
  assert.equal(of({ acr: 'gold' }), 'allow');
  assert.equal(of({ acr: 'platinum' }), 'allow');
  for (const acr of ['Gold', 'gold ', 'silver', '', 'gold platinum', null])
    assert.equal(of({ acr }), 'sign-in', `${acr}`);
  assert.equal(of({ amr: ['pwd', 'otp', 'mfa'] }), 'sign-in', 'a second factor is no level');
  assert.equal(kindFor(policy, { identity: person('alice', { acr: 'gold' }), now: NOW }), 'sign-in', 'local has none');
  assert.equal(kindFor(policy, { identity: person('alice', { amr: ['mfa'] }), now: NOW }), 'allow');
  assert.deepEqual(policy.missing(facts({ identity: person('alice'), now: NOW })), {
    secondFactor: true,
    acr: [],
    maxAgeMs: null,
  });
});

test('require: with several asks for all that is missing, at once', () => {
  const policy = requiring({ secondFactor: true, acr: ['gold'], maxAgeMs: 60 * MINUTE });
  const decision = policy.decide(facts({ identity: person('alice', { provider: 'keycloak' }), now: NOW }));
  assert.equal(decision.rule, 'require: second-factor, acr gold, max_age 1h');
  const most = person('alice', { provider: 'keycloak', acr: 'gold', authenticatedAt: NOW });
  assert.equal(policy.decide(facts({ identity: most, now: NOW })).rule, 'require: second-factor');
  assert.notEqual(policy.id, requiring({ secondFactor: true, acr: ['gold'], maxAgeMs: MINUTE }).id, 'never shared');
});
