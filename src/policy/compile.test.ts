import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleText } from './rule-text.ts';
import type { Identity } from '../core/person.ts';
import { ALICE, CERTIFICATE, compile, facts, kindFor, person, policyOf, PROMTAIL } from './_policy-fixture.ts';
import { compilePolicy, type CompiledPolicy } from './compile.ts';
import { ANONYMOUS, NO_RULE } from './facts.ts';

/** What a request gets that no rule lets in. Rows: rules of the route; columns: who asks. The address is 10.0.0.1. */
const REFUSED_REQUESTS: readonly [
  allow: RuleText[],
  deny: RuleText[],
  anonymous: string,
  bob: string,
  other: string,
][] = [
  // allow                                            deny                     anonymous    bob      service:other
  [['public'], [], 'allow', 'allow', 'allow'],
  [['signed-in'], [], 'sign-in', 'allow', 'deny'],
  [['user:alice'], [], 'sign-in', 'deny', 'deny'],
  [['group:x'], [], 'sign-in', 'deny', 'deny'],
  [['email:alice@example.com'], [], 'sign-in', 'deny', 'deny'],
  [['email-domain:example.org'], [], 'sign-in', 'deny', 'deny'],
  [['service:promtail'], [], 'challenge', 'deny', 'deny'],
  [['ip:192.0.2.0/24'], [], 'deny', 'deny', 'deny'],
  [['client-certificate:cn=agent'], [], 'deny', 'deny', 'deny'],
  [[], [], 'deny', 'deny', 'deny'],
  [['service:promtail', 'user:alice'], [], 'sign-in', 'deny', 'deny'],
  [['ip:192.0.2.0/24', 'user:alice'], [], 'sign-in', 'deny', 'deny'],
  [['ip:192.0.2.0/24', 'service:promtail'], [], 'challenge', 'deny', 'deny'],
  [[{ all: ['ip:192.0.2.0/24', 'group:x'] }], [], 'deny', 'deny', 'deny'],
  [[{ all: ['ip:10.0.0.0/8', 'group:x'] }], [], 'sign-in', 'deny', 'deny'],
  [[{ all: ['ip:10.0.0.0/8', 'service:promtail'] }], [], 'challenge', 'deny', 'deny'],
  [[{ all: ['ip:192.0.2.0/24', 'service:promtail'] }], [], 'deny', 'deny', 'deny'],
  [[{ all: ['user:alice', 'service:promtail'] }], [], 'deny', 'deny', 'deny'],
  [[{ all: ['ip:192.0.2.0/24', 'group:x'] }, 'service:promtail'], [], 'challenge', 'deny', 'deny'],
  [['public'], ['ip:10.0.0.0/8'], 'deny', 'deny', 'deny'],
  [['signed-in'], ['ip:10.0.0.0/8'], 'deny', 'deny', 'deny'],
  [['signed-in'], ['ip:192.0.2.0/24'], 'sign-in', 'allow', 'deny'],
  [['signed-in'], ['user:bob'], 'sign-in', 'deny', 'deny'],
  [['token:ci'], [], 'challenge', 'deny', 'deny'],
  [['token:ci', 'user:alice'], [], 'sign-in', 'deny', 'deny'],
  [['token:ci', 'service:promtail'], [], 'challenge', 'deny', 'deny'],
  [[{ all: ['ip:10.0.0.0/8', 'token:ci'] }], [], 'challenge', 'deny', 'deny'],
  [[{ all: ['ip:192.0.2.0/24', 'token:ci'] }], [], 'deny', 'deny', 'deny'],
  [[{ all: ['token:ci', 'service:promtail'] }], [], 'deny', 'deny', 'deny'],
  [[{ when: 'token == "ci"' }], [], 'challenge', 'deny', 'deny'],
  [['signed-in', 'token:ci'], [{ when: 'token != ""' }], 'sign-in', 'allow', 'deny'],
  [['signed-in', 'service:promtail'], ['signed-in'], 'challenge', 'deny', 'deny'],
  [['public'], ['public'], 'deny', 'deny', 'deny'],
  [[{ when: 'user.name == "alice"' }], [], 'sign-in', 'deny', 'deny'],
  [[{ when: 'user.name == "alice" && method == "PUT"' }], [], 'deny', 'deny', 'deny'],
  [[{ when: 'service == "promtail"' }], [], 'challenge', 'deny', 'deny'],
  [[{ when: 'path == "/other"' }], [], 'deny', 'deny', 'deny'],
  [['public'], [{ when: '!("/staff" in user.groups)' }], 'sign-in', 'deny', 'deny'],
  [['public'], [{ when: 'method == "GET"' }], 'deny', 'deny', 'deny'],
];

test('decide() gives a refused request what could still help', () => {
  const other: Identity = { kind: 'service', name: 'other' };
  for (const [allow, deny, ...expected] of REFUSED_REQUESTS) {
    const { policy, diagnostics } = compile({ allow, deny });
    assert.ok(diagnostics.every(({ severity }) => severity === 'warning'));
    const got: string[] = [ANONYMOUS, person('bob'), other].map((identity) => kindFor(policy, { identity }));
    assert.deepEqual(got, expected, JSON.stringify({ allow, deny }));
  }
});

test('a machine is its kind and its name: no token passes for a service or a person, nor the other way', () => {
  const who: Identity[] = [{ kind: 'token', name: 'ci' }, { kind: 'service', name: 'ci' }, person('ci')];
  const rules = ['token:ci', 'service:ci', 'user:ci', 'signed-in'];
  const admitted = rules.map((rule) => who.filter((identity) => kindFor(policyOf(rule), { identity }) === 'allow'));
  assert.deepEqual(admitted, [[who[0]], [who[1]], [who[2]], [who[2]]]);
  const others = policyOf({ when: 'token == "ci"' });
  assert.deepEqual(
    who.map((identity) => kindFor(others, { identity })),
    ['allow', 'deny', 'deny'],
  );
  assert.deepEqual(
    [others.acceptsTokens, policyOf('token:x').acceptsTokens, policyOf('signed-in').acceptsTokens],
    [true, true, false],
  );
});

test('decide() names the rule and the reason', () => {
  const policy = compile({ allow: ['user:alice', 'service:promtail'], hostDeny: ['ip:192.0.2.0/24'] }).policy;
  assert.deepEqual(policy.decide(facts({ identity: ALICE })), { kind: 'allow', rule: 'local:user:alice' });
  assert.deepEqual(policy.decide(facts({ identity: PROMTAIL })), { kind: 'allow', rule: 'service:promtail' });
  assert.deepEqual(policy.decide(facts()), { kind: 'sign-in', rule: 'local:user:alice' });
  assert.deepEqual(policy.decide(facts({ identity: ALICE, ip: '192.0.2.9' })), {
    kind: 'deny',
    rule: 'ip:192.0.2.0/24',
    reason: 'client address is 192.0.2.9',
  });
  const bob = policy.decide(facts({ identity: person('bob') }));
  assert.deepEqual(bob, { kind: 'deny', rule: NO_RULE, reason: 'none of 2 allow rules matches' });
});

test('an unknown address is in no ip: allow and in every ip: deny', () => {
  assert.equal(kindFor(policyOf('ip:0.0.0.0/0', 'ip:::/0'), { ip: null }), 'deny');
  assert.equal(kindFor(compile({ allow: ['public'], deny: ['ip:192.0.2.1'] }).policy, { ip: null }), 'deny');
  assert.equal(
    kindFor(compile({ allow: ['public'], deny: [{ all: ['public', 'ip:192.0.2.1'] }] }).policy, { ip: null }),
    'deny',
  );
});

test('an e-mail admits only if it is verified and plainly an address', () => {
  const policy = policyOf('email-domain:example.com', 'email:carol@example.org');
  const kindOf = (email: string | null, emailVerified = true): string =>
    kindFor(policy, { identity: person('carol', { email, emailVerified }) });
  assert.equal(kindOf('carol@example.com'), 'allow');
  assert.equal(kindOf('CAROL@EXAMPLE.ORG'), 'allow');
  assert.equal(kindOf('carol@example.com', false), 'deny');
  const tricks = [
    'evil@evil.com@example.com',
    'evil@example.com@evil.com',
    'evil@example.com.',
    'evil@sub.example.com',
    'evil@evilexample.com',
    'evil\uff20example.com',
    'evil@ex\u0430mple.com',
    'evil@example.com\n',
    '"a@example.com"@evil.com',
    '"a"@example.com',
    '@example.com',
    'evil@example.com ',
    'evil@\u212aexample.com',
    null,
  ];
  for (const email of tricks) assert.equal(kindOf(email), 'deny', JSON.stringify(email));
});

test('a deny is not evaded by the spelling of a name or an e-mail', () => {
  const policy = compile({ allow: ['signed-in'], deny: ['user:bob', 'email-domain:evil.com', 'group:/banned'] }).policy;
  assert.equal(kindFor(policy, { identity: ALICE }), 'allow');
  assert.equal(kindFor(policy, { identity: person('BOB') }), 'deny');
  assert.equal(kindFor(policy, { identity: person('c', { email: 'c@EVIL.com', emailVerified: false }) }), 'deny');
  assert.equal(kindFor(policy, { identity: person('c', { email: 'c@evil.com@example.com' }) }), 'deny');
  assert.equal(kindFor(policy, { identity: person('c', { groups: ['/Banned'] }) }), 'deny');
  // Full-width letters, and the accent as a letter of its own (NFD).
  assert.equal(kindFor(policy, { identity: person('\uff42\uff4f\uff42') }), 'deny');
  const accented = compile({ allow: ['signed-in'], deny: ['user:jos\u00e9', 'group:/caf\u00e9'] }).policy;
  assert.equal(kindFor(accented, { identity: person('jose\u0301') }), 'deny');
  assert.equal(kindFor(accented, { identity: person('JOSE\u0301') }), 'deny');
  assert.equal(kindFor(accented, { identity: person('c', { groups: ['/cafe\u0301'] }) }), 'deny');
  assert.equal(kindFor(accented, { identity: person('jose') }), 'allow');
});

test('a deny is not evaded by more groups or roles than are known', () => {
  const rules: RuleText[] = ['group:/banned', { when: '"/banned" in user.groups' }];
  for (const deny of rules) {
    const { policy } = compile({ allow: ['signed-in'], deny: [deny] });
    assert.equal(kindFor(policy, { identity: person('c', { groups: ['/a'] }) }), 'allow');
    assert.equal(kindFor(policy, { identity: person('c', { groups: ['/a'], cut: ['groups'] }) }), 'deny');
    assert.equal(kindFor(policy, { identity: person('c', { cut: ['roles'] }) }), 'allow', 'that is about roles');
  }
  const { policy: not } = compile({ allow: [{ when: '!("/banned" in user.groups)' }] });
  assert.equal(kindFor(not, { identity: person('c', { groups: ['/a'] }) }), 'allow');
  assert.equal(kindFor(not, { identity: person('c', { groups: ['/a'], cut: ['groups'] }) }), 'deny');
  const { policy: known } = compile({ allow: ['group:/a'] });
  assert.equal(kindFor(known, { identity: person('c', { groups: ['/a'], cut: ['groups'] }) }), 'allow');
});

test('names and groups are those of the provider that is named', () => {
  const policy = compile({
    allow: ['keycloak:user:alice', 'keycloak:group:/developers'],
    providers: ['local', 'keycloak'],
  }).policy;
  assert.equal(kindFor(policy, { identity: ALICE }), 'deny');
  assert.equal(kindFor(policy, { identity: person('alice', { provider: 'keycloak' }) }), 'allow');
  assert.equal(kindFor(policy, { identity: person('Alice', { provider: 'keycloak' }) }), 'deny');
});

test('client-certificate: compares fingerprint, name, e-mail and DNS name whole', () => {
  const clientCertificate = CERTIFICATE;
  for (const match of ['*', 'AB'.repeat(32), 'cn=agent', 'email=ci@example.com', 'dns=agent.example.com']) {
    const policy = policyOf(`client-certificate:${match}`);
    assert.equal(kindFor(policy, { clientCertificate }), 'allow', match);
    assert.equal(kindFor(policy), 'deny', match);
  }
  for (const match of ['cd'.repeat(32), 'cn=agen', 'email=i@example.com', 'dns=example.com']) {
    assert.equal(kindFor(policyOf(`client-certificate:${match}`), { clientCertificate }), 'deny', match);
  }
});

test('compilePolicy() tells what a policy depends on', () => {
  const flags = ({ isPublic, dependsOnlyOnIdentity, acceptsServices, couldSignIn }: CompiledPolicy) =>
    [isPublic, dependsOnlyOnIdentity, acceptsServices, couldSignIn].map(Number).join('');
  assert.equal(flags(policyOf('public')), '1100');
  assert.equal(flags(compile({ allow: ['public'], deny: ['user:bob'] }).policy), '0101');
  assert.equal(flags(policyOf('signed-in')), '0101');
  assert.equal(flags(policyOf('service:a')), '0110');
  assert.equal(flags(policyOf('ip:10.0.0.1')), '0000');
  assert.equal(flags(policyOf({ all: ['ip:10.0.0.1', 'service:a'] })), '0010');
  assert.equal(flags(policyOf({ all: ['user:a', 'service:a'] })), '0100');
  assert.equal(flags(policyOf({ when: '"x" in user.groups' })), '0101');
  assert.equal(flags(policyOf({ when: 'service == "a" && method == "GET"' })), '0010');
  assert.equal(flags(policyOf('client-certificate:*')), '0000');
});

test('compilePolicy() gives identical rules one id', () => {
  assert.equal(policyOf('user:alice').id, policyOf('local:user:alice').id);
  assert.notEqual(policyOf('user:alice').id, policyOf('user:alicf').id);
  assert.notEqual(policyOf('ip:10.0.0.1').id, compile({ allow: [], deny: ['ip:10.0.0.1'] }).policy.id);
});

test('a document with a bad rule would still fail closed', () => {
  const bad = compile({ allow: ['nonsense', { when: 'nonsense(' }] });
  assert.equal(bad.diagnostics.filter(({ severity }) => severity === 'error').length, 2);
  assert.equal(kindFor(bad.policy, { identity: ALICE }), 'deny');
  assert.equal(kindFor(compile({ allow: ['public'], deny: ['nonsense'] }).policy), 'deny');
});

test('decide() says what the provider of a refused person kept to itself, where an allow rule looks at it', () => {
  const of = (allow: RuleText[], who: Identity, deny: RuleText[] = []) => {
    const providers = ['kc', 'other'].map((id) => ({ id, type: 'oidc' }));
    const rules = (texts: readonly RuleText[]) => texts.map((rule, index) => ({ rule, at: [index] }));
    const { policy } = compilePolicy({ allow: rules(allow), routeDeny: rules(deny), hostDeny: [], providers });
    const decision = policy.decide({ identity: who, ip: null, clientCertificate: null, request: null });
    return decision.kind === 'deny' ? decision : assert.fail(decision.kind);
  };
  const bob = person('bob', { provider: 'kc', unsaid: ['groups', 'roles'] });
  const refused = of(['kc:group:/staff'], bob);
  assert.deepEqual(refused.unsaid, ['groups']);
  assert.match(refused.reason, /"kc" did not say the groups of the person, wanted "\/staff"/);
  assert.deepEqual(of(['kc:role:admin', { all: ['kc:signed-in', 'kc:group:x'] }], bob).unsaid, ['groups', 'roles']);
  for (const allow of ['kc:user:alice', 'other:group:/staff', 'other:role:x', 'ip:192.0.2.1'])
    assert.equal(of([allow], bob).unsaid, undefined, allow);
  assert.equal(of(['kc:group:/staff'], bob, ['kc:user:bob']).unsaid, undefined, 'a deny rule is why');
  const said = of(['kc:group:/staff'], person('bob', { provider: 'kc' }));
  assert.equal(said.unsaid, undefined);
  assert.match(said.reason, /groups are none, wanted/);
  assert.equal(of(['kc:group:/staff'], PROMTAIL).unsaid, undefined);
});

test('compilePolicy() refuses an expression that could mean people of several providers, as it does a short form', () => {
  const problems = (allow: RuleText, ids: readonly string[] = ['kc', 'gitlab'], deny: RuleText[] = []): string[] => {
    const rules = (texts: readonly RuleText[]) => texts.map((rule, index) => ({ rule, at: [index] }));
    const providers = ids.map((id) => ({ id, type: 'oidc' }));
    const input = { allow: rules([allow]), routeDeny: rules(deny), hostDeny: [], providers };
    return compilePolicy(input).diagnostics.map(({ message, remedy }) => `${message} ${remedy ?? ''}`);
  };
  const groups = '"admins" in user.groups';
  for (const [expression, read] of [
    [groups, 'user.groups'],
    ['user.name == "alice"', 'user.name'],
    ['path.startsWith("/u/" + user.name + "/")', 'user.name'],
    ['user.roles.exists(r, r == "x")', 'user.roles'],
    ['user["groups"].exists(g, g == "x")', 'user.groups'],
  ] as const) {
    const [found = '', ...more] = problems({ when: expression });
    assert.deepEqual(more, [], expression);
    assert.ok(found.includes(`reads ${read}, but people of several providers`), found);
    assert.match(found, /user\.provider == "kc".*"kc:signed-in"/);
    assert.deepEqual(problems({ when: expression }, ['kc']), [], 'one provider');
  }
  const inAll = (...parts: RuleText[]): RuleText => ({ all: parts });
  assert.equal(problems(inAll('signed-in', { when: groups })).length, 1);
  for (const good of [
    { when: `user.provider == "kc" && ${groups}` },
    { when: 'user.email.endsWith("@example.com")' },
    { when: 'method == "GET"' },
    inAll('kc:signed-in', { when: groups }),
    inAll('kc:group:x', { when: 'user.name == "alice"' }),
  ])
    assert.deepEqual(problems(good), [], JSON.stringify(good));
  assert.deepEqual(problems('kc:signed-in', ['kc', 'gitlab'], [{ when: groups }]), [], 'a deny may mean both');
});

test('a link to all below a path lets nobody out of it by a path that an app may decode twice', () => {
  const policy = policyOf('link');
  const ask = (scope: string, path: string): string => {
    const identity: Identity = { kind: 'link', name: 'guest', place: { host: 'app.example.com', scope } };
    return kindFor(policy, { identity, request: { method: 'GET', host: 'app.example.com', path, query: '' } });
  };
  for (const path of [
    '/docs/%252E%252E/admin',
    '/docs/a/%252e./..%252F../x',
    '/docs/%25252e%25252e',
    '/docs/%252e%252e%255cadmin',
  ])
    assert.equal(ask('/docs/*', path), 'deny', path);
  for (const path of ['/docs/100%25/x', '/docs/a%252Fb', '/docs/%252E%252E/docs/x', '/docs/a;b/..c', '/docs'])
    assert.equal(ask('/docs/*', path), 'allow', path);
  assert.deepEqual([ask('/*', '/a/%252e%252e/b'), ask('/*', '/%252e%252e/b')], ['allow', 'deny']);
  assert.equal(ask('/a%252e%252e', '/a%252e%252e'), 'allow', 'that one page');
  assert.equal(ask('/Docs%25/*', '/Docs%25/x'), 'allow');
});
