import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Identity, Person } from '../core/person.ts';
import { person } from './_policy-fixture.ts';
import { compilePolicy, type CompiledPolicy } from './compile.ts';
import type { Refusal } from './facts.ts';
import type { RuleText } from './rule-text.ts';

function policyOf(allow: readonly RuleText[], deny: readonly RuleText[] = [], type = 'oidc'): CompiledPolicy {
  const rules = (texts: readonly RuleText[]) => texts.map((rule, index) => ({ rule, at: [index] }));
  const providers = ['kc', 'other'].map((id) => ({ id, type }));
  return compilePolicy({ allow: rules(allow), routeDeny: rules(deny), hostDeny: [], providers }).policy;
}

const factsOf = (identity: Identity) => ({ identity, ip: null, clientCertificate: null, request: null });

function refusalOf(policy: CompiledPolicy, who: Identity): Refusal {
  const decision = policy.decide(factsOf(who));
  return decision.kind === 'deny' ? decision : assert.fail(decision.kind);
}

const bob = (changes: Partial<Person>): Identity => person('bob', { provider: 'kc', ...changes });

test('decide() says of an expression what the provider did not say and it would have to know', () => {
  const when = (expression: string): RuleText => ({ when: expression });
  const nothing = bob({ unsaid: ['name', 'groups', 'roles'], email: null, emailVerified: false });
  const cases: readonly (readonly [expression: string, unsaid: readonly string[] | undefined])[] = [
    ['user.provider == "kc" && "staff" in user.groups', ['groups']],
    ['user.provider == "kc" && user.roles.exists(r, r == "admin")', ['roles']],
    ['user.provider == "kc" && user["groups"].exists(g, g == "x")', ['groups']],
    ['user.email == "bob@example.com"', ['email']],
    ['user.email.endsWith("@example.com") || user.provider == "kc" && user.name == "bo"', ['name', 'email']],
    // Decided without: it is about people of another provider, or about the address.
    ['user.provider == "other" && "staff" in user.groups', undefined],
    ['ip == "192.0.2.1"', undefined],
  ];
  for (const [expression, unsaid] of cases) {
    const refusal = refusalOf(policyOf([when(expression)]), nothing);
    assert.deepEqual(refusal.unsaid, unsaid, expression);
    if (unsaid?.includes('groups') === true) assert.match(refusal.reason, /false; "kc" did not say the groups of/);
  }
  const said = refusalOf(policyOf([when('user.provider == "kc" && "staff" in user.groups')]), bob({}));
  assert.equal(said.unsaid, undefined);
  assert.match(said.reason, /the expression is false$/);
});

test('decide() says of rules about names and addresses what the provider did not say', () => {
  const unsaid = (rule: RuleText, changes: Partial<Person>) => refusalOf(policyOf([rule]), bob(changes)).unsaid;
  assert.deepEqual(unsaid('kc:user:alice', { unsaid: ['name'] }), ['name']);
  assert.match(refusalOf(policyOf(['kc:user:alice']), bob({ unsaid: ['name'] })).reason, /did not say the name/);
  assert.deepEqual(unsaid('kc:email:a@example.com', { email: null, emailVerified: false }), ['email']);
  assert.deepEqual(unsaid('kc:email-domain:example.com', { emailVerified: false }), ['verified-email']);
  for (const rule of ['kc:email:a@example.com', 'kc:user:alice', 'other:email-domain:example.com'])
    assert.equal(unsaid(rule, {}), undefined, rule);
  const several = refusalOf(policyOf(['kc:group:a', 'kc:group:b']), bob({ unsaid: ['groups'] }));
  assert.equal(several.reason, 'none of 2 allow rules matches; "kc" did not say the groups of the person');
});

test('user: lets nobody in by a subject that stands in for a name, and keeps out whom it reads as', () => {
  const allow = policyOf(['kc:user:bob']);
  assert.equal(allow.decide(factsOf(bob({}))).kind, 'allow');
  const nameless = bob({ subject: 'bob', unsaid: ['name'] });
  assert.match(refusalOf(allow, nameless).reason, /"kc" did not say the name, so user is "bob", wanted "bob"/);
  assert.equal(refusalOf(policyOf(['kc:signed-in'], ['kc:user:bob']), nameless).rule, 'kc:user:bob');
});

test('A deny refuses whom it may mean, where the provider is known to keep that to itself', () => {
  const may = (deny: RuleText, changes: Partial<Person>, type = 'oidc'): string =>
    policyOf(['kc:signed-in'], [deny], type).decide(factsOf(bob(changes))).kind;
  assert.equal(may('kc:group:contractors', { cut: ['groups'] }), 'deny');
  assert.equal(may({ when: '"contractors" in user.groups' }, { cut: ['groups'] }), 'deny');
  assert.equal(may({ when: 'user.name == "carol" || "contractors" in user.groups' }, { cut: ['groups'] }), 'deny');
  assert.equal(may('kc:role:x', { cut: ['groups'] }), 'allow', 'roles are said');
  assert.equal(may('other:group:contractors', { cut: ['groups'] }), 'allow', 'not of this provider');
  // An empty list is often left out: nobody is kept out for that.
  assert.equal(may('kc:group:contractors', { unsaid: ['groups'] }), 'allow');
  assert.equal(may('kc:org:evil', { withheld: ['evil'] }, 'github'), 'deny');
  assert.equal(may('kc:team:evil/core', { withheld: ['evil'] }, 'github'), 'deny');
  assert.equal(may('kc:org:evil', { withheld: ['acme'] }, 'github'), 'allow');
  const lets = (allow: RuleText): string => policyOf([allow]).decide(factsOf(bob({ cut: ['groups'] }))).kind;
  assert.equal(lets('kc:group:contractors'), 'deny', 'and an allow lets nobody in by it');
  assert.equal(lets({ when: 'user.provider == "kc" && !("contractors" in user.groups)' }), 'deny');
});

test('decide() names the organisations that the refusing rules look at, and no others', () => {
  const who = bob({ withheld: ['acme', 'secret'] });
  const of = (...allow: RuleText[]): Refusal => refusalOf(policyOf(allow, [], 'github'), who);
  assert.deepEqual([of('kc:org:acme').unsaid, of('kc:org:acme').withheld], [['organisations'], ['acme']]);
  assert.deepEqual(of('kc:team:secret/core', 'kc:user:alice').withheld, ['secret']);
  assert.equal(of('kc:org:other').withheld, undefined);
  assert.match(of('kc:team:secret/core').reason, /does not say whether the person is in "secret"/);
});

test('namedUsers of a policy are those of deny rules too: who is not asked about, or renamed, would not be kept out', () => {
  const { namedUsers } = policyOf(
    ['kc:user:alice'],
    ['kc:group:contractors', { all: ['kc:user:mallory', 'kc:group:x'] }],
  );
  for (const one of ['kc:user:alice', 'kc:group:contractors', 'kc:user:mallory', 'kc:group:x'])
    assert.ok(namedUsers.includes(one), one);
  assert.ok(policyOf(['public'], ['kc:team:acme/core'], 'github').namedUsers.includes('kc:org:acme'));
});

test('decide() decides no expression by an organisation that keeps to itself whether the person is in it', () => {
  const when = (expression: string): RuleText => ({ when: `user.provider == "kc" && ${expression}` });
  const kept = bob({ groups: ['beta', 'beta/core'], withheld: ['acme', 'other'] });
  const decides = (list: 'allow' | 'deny', expression: string): string => {
    const rule = when(expression);
    const policy = list === 'allow' ? policyOf([rule], [], 'github') : policyOf(['kc:user:bob'], [rule], 'github');
    return policy.decide(factsOf(kept)).kind;
  };
  for (const expression of [
    '"acme" in user.groups',
    '"acme/platform" in user.groups',
    'user.groups.exists(g, g.startsWith("acme/"))',
    '!("acme" in user.groups)',
    '("acme" in user.groups) != ("other" in user.groups)',
  ]) {
    assert.equal(decides('deny', expression), 'deny', expression);
    assert.equal(decides('allow', expression), 'deny', expression);
  }
  // Decided by what is known.
  for (const expression of [
    '"beta" in user.groups',
    'user.groups.exists(g, g.startsWith("beta/"))',
    'user.name == "bob"',
  ])
    assert.deepEqual([decides('allow', expression), decides('deny', expression)], ['allow', 'deny'], expression);
  for (const expression of ['"gamma" in user.groups', '"acme" in user.groups && "gamma" in user.groups'])
    assert.deepEqual([decides('allow', expression), decides('deny', expression)], ['deny', 'allow'], expression);
  const { reason } = refusalOf(policyOf([when('"acme" in user.groups')], [], 'github'), kept);
  assert.match(reason, /whether the user is in "acme" or "other" is not known/);
});
