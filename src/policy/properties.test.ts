import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RuleText } from './rule-text.ts';
import type { Identity } from '../core/person.ts';
import { ALICE, CERTIFICATE, compile, person, PROMTAIL } from './_policy-fixture.ts';
import { ANONYMOUS, type Facts } from './facts.ts';

const RULES: readonly RuleText[] = [
  'public',
  'signed-in',
  'user:alice',
  'user:bob',
  'group:x',
  'email-domain:example.com',
  'service:promtail',
  'ip:10.0.0.0/8',
  'ip:192.0.2.0/24',
  'client-certificate:cn=agent',
  { when: 'user.name == "alice" || method == "GET"' },
  { when: '!("x" in user.groups)' },
  { when: 'service == "promtail" && ip == "10.0.0.1"' },
  { when: 'path.startsWith("/a") && service != ""' },
  'nonsense',
];
const IDENTITIES: readonly Identity[] = [
  ANONYMOUS,
  ALICE,
  person('bob'),
  person('carol', { emailVerified: false }),
  PROMTAIL,
  { kind: 'service', name: 'other' },
];
const anyRule: fc.Arbitrary<RuleText> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...RULES) },
  fc.array(fc.constantFrom(...RULES), { minLength: 1, maxLength: 3 }).map((all) => ({ all })),
);
const someRules = fc.array(anyRule, { maxLength: 4 });
const anyFacts: fc.Arbitrary<Facts> = fc.record({
  identity: fc.constantFrom(...IDENTITIES),
  ip: fc.constantFrom('10.0.0.1', '192.0.2.1', '2001:db8::1', null),
  clientCertificate: fc.constantFrom(CERTIFICATE, null),
  request: fc.option(
    fc.record({
      method: fc.constantFrom('GET', 'PUT'),
      host: fc.constant('a.example'),
      path: fc.constantFrom('/', '/a/b'),
      query: fc.constant(''),
    }),
  ),
});

test('adding an allow never refuses, and adding a deny never lets in', () => {
  fc.assert(
    fc.property(someRules, someRules, anyRule, anyFacts, (allow, deny, more, given) => {
      const before = compile({ allow, deny }).policy.decide(given).kind;
      const withAllow = compile({ allow: [...allow, more], deny }).policy.decide(given).kind;
      const withDeny = compile({ allow, deny: [...deny, more] }).policy.decide(given).kind;
      if (before === 'allow') assert.equal(withAllow, 'allow');
      if (before !== 'allow') assert.notEqual(withDeny, 'allow');
    }),
  );
});

test('explain() agrees with decide()', () => {
  fc.assert(
    fc.property(someRules, someRules, anyFacts, (allow, deny, given) => {
      const { policy } = compile({ allow, deny });
      const decision = policy.decide(given);
      const traces = policy.explain(given);
      assert.equal(traces.length, allow.length + deny.length);
      const decisive = traces.find((trace) => trace.decisive);
      const denied = traces.find((trace) => trace.list === 'deny' && trace.matched);
      if (decision.kind === 'allow')
        assert.deepEqual([decisive?.list, decisive?.matched, decisive?.rule], ['allow', true, decision.rule]);
      else assert.equal(decisive, denied);
      const helpful = traces.find((trace) => trace.couldHelp === decision.kind);
      if (decision.kind === 'sign-in' || decision.kind === 'challenge') assert.equal(helpful?.rule, decision.rule);
      else assert.ok(traces.every((trace) => trace.couldHelp === null));
    }),
  );
});

test('a visitor is turned away for good only where no identity would be let in', () => {
  fc.assert(
    fc.property(someRules, someRules, anyFacts, (allow, deny, given) => {
      const { policy } = compile({ allow, deny });
      const asked = policy.decide({ ...given, identity: ANONYMOUS }).kind;
      const admits = (kind: Identity['kind']): boolean =>
        IDENTITIES.some((identity) => identity.kind === kind && policy.decide({ ...given, identity }).kind === 'allow');
      if (asked === 'deny') assert.ok(!admits('person') && !admits('service'));
      if (asked === 'challenge') assert.ok(!admits('person'));
      if (asked === 'sign-in') assert.ok(policy.couldSignIn);
      if (asked === 'challenge') assert.ok(policy.acceptsServices);
    }),
    { numRuns: 400 },
  );
});

test('what depends only on the identity is decided the same for every address and request', () => {
  fc.assert(
    fc.property(someRules, someRules, anyFacts, anyFacts, (allow, deny, one, two) => {
      const { policy } = compile({ allow, deny });
      if (!policy.dependsOnlyOnIdentity) return;
      assert.equal(policy.decide(one).kind, policy.decide({ ...two, identity: one.identity }).kind);
    }),
  );
});

const anyRequire = fc.record({
  secondFactor: fc.boolean(),
  acr: fc.subarray(['gold', 'silver']),
  maxAgeMs: fc.constantFrom(null, 10_000, 900_000),
});
const anyProof = fc.record({
  amr: fc.subarray(['pwd', 'mfa']),
  acr: fc.constantFrom(undefined, null, 'gold', 'silver', 'x'),
  authenticatedAt: fc.constantFrom(undefined, null, 0, 1_000_000, 1_900_000),
  now: fc.constantFrom(0, 1_000_000, 1_005_000, 1_900_000, 2_500_000),
});

test('require: never lets in whom the rules refuse, and explain() names what is missing if and only if decide() asks for it', () => {
  fc.assert(
    fc.property(
      fc.tuple(someRules, someRules),
      anyFacts,
      anyRequire,
      anyProof,
      ([allow, deny], given, require, { now, ...proof }) => {
        const { acr, authenticatedAt, amr } = proof;
        const shown = {
          amr,
          ...(acr === undefined ? {} : { acr }),
          ...(authenticatedAt === undefined ? {} : { authenticatedAt }),
        };
        const identity =
          given.identity.kind === 'person'
            ? ({ kind: 'person', person: { ...given.identity.person, ...shown } } as const)
            : given.identity;
        const asked = { ...given, identity, now };
        const plain = compile({ allow, deny }).policy.decide(asked);
        const policy = compile({ allow, deny, require }).policy;
        const decision = policy.decide(asked);
        const missing = policy.explain(asked).filter((trace) => trace.list === 'require' && trace.decisive);
        if (plain.kind !== 'allow') {
          assert.deepEqual(decision, plain);
          assert.equal(missing.length, 0);
          return;
        }
        const needs = decision.kind === 'sign-in' ? (decision.needs ?? null) : null;
        assert.equal(decision.kind, needs === null ? 'allow' : 'sign-in');
        assert.deepEqual(needs, policy.missing(asked));
        assert.equal(missing.length > 0, needs !== null);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('garbage for an expression never lets anybody in', () => {
  const token = fc.constantFrom(
    'user',
    '.name',
    '==',
    '"alice"',
    '&&',
    '||',
    '!',
    '(',
    ')',
    'true',
    '1',
    'in',
    '[',
    ']',
    ' ',
    'x',
    '?',
    ':',
    '.groups',
  );
  const garbage = fc.oneof(
    fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join('')),
    fc.string({ maxLength: 30 }),
  );
  fc.assert(
    fc.property(garbage, anyFacts, (when, given) => {
      const allowed = compile({ allow: [{ when }] });
      const denied = compile({ allow: ['public'], deny: [{ when }] });
      const isRefused = allowed.diagnostics.length > 0;
      const isLetIn = allowed.policy.decide(given).kind === 'allow';
      assert.ok(!(isRefused && isLetIn));
      if (isRefused) assert.notEqual(denied.policy.decide(given).kind, 'allow');
      else assert.ok(!(isLetIn && denied.policy.decide(given).kind === 'allow'));
    }),
    { numRuns: 500 },
  );
});
