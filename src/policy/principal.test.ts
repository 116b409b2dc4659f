import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RuleText } from './rule-text.ts';
import { parsePrincipal, principalText, type PrincipalContext } from './principal.ts';

const ONE: PrincipalContext = { providers: [{ id: 'local', type: 'local' }], services: ['promtail', 'fluent-bit'] };
const TWO: PrincipalContext = {
  providers: [
    { id: 'local', type: 'local' },
    { id: 'keycloak', type: 'oidc' },
  ],
  services: null,
};
const FINGERPRINT = 'ab'.repeat(32);

function textOf(rule: RuleText, context: PrincipalContext = ONE): string {
  const { principal, diagnostics } = parsePrincipal(rule, [], context);
  assert.deepEqual(diagnostics, []);
  return principalText(principal);
}

function refusalOf(rule: RuleText, context: PrincipalContext = ONE): string {
  const { principal, diagnostics } = parsePrincipal(rule, ['allow', 0], context);
  const refused = diagnostics.filter(({ severity }) => severity === 'error');
  assert.equal(refused.length, 1, JSON.stringify(rule));
  assert.equal(principal.kind === 'all' ? 'unreadable' : principal.kind, 'unreadable');
  return `${refused[0]?.message} / ${refused[0]?.remedy}`;
}

test('parsePrincipal() knows every name that a service of a document may have', () => {
  for (const name of ['promtail', 'Bot.1', 'bot@ci', 'a_b-c'])
    assert.equal(textOf(`service:${name}`, { ...ONE, services: [name] }), `service:${name}`);
});

test('parsePrincipal() gives every principal one full spelling', () => {
  const spellings: [RuleText, string][] = [
    ['public', 'public'],
    ['signed-in', 'signed-in'],
    ['local:signed-in', 'local:signed-in'],
    ['user:alice', 'local:user:alice'],
    ['local:user:alice', 'local:user:alice'],
    ['group:/developers/backend', 'local:group:/developers/backend'],
    ['group:a:b', 'local:group:a:b'],
    ['email:Alice@Example.COM', 'local:email:alice@example.com'],
    ['email-domain:Example.com', 'local:email-domain:example.com'],
    ['service:promtail', 'service:promtail'],
    ['ip:10.0.0.0/8', 'ip:10.0.0.0/8'],
    ['ip:192.0.2.1, ::ffff:192.0.2.2', 'ip:192.0.2.1/32,192.0.2.2/32'],
    ['ip:2001:DB8::/32', 'ip:2001:db8::/32'],
    [`client-certificate:${'AB:'.repeat(31)}AB`, `client-certificate:fingerprint=${FINGERPRINT}`],
    [`client-certificate:${FINGERPRINT}`, `client-certificate:fingerprint=${FINGERPRINT}`],
    ['client-certificate:cn=Build Agent', 'client-certificate:cn=Build Agent'],
    ['client-certificate:email=CI@example.com', 'client-certificate:email=ci@example.com'],
    ['client-certificate:*', 'client-certificate:*'],
    [{ all: ['user:alice', 'ip:10.0.0.1'] }, 'all: [local:user:alice, ip:10.0.0.1/32]'],
    [{ when: 'method == "GET"' }, 'when: method == "GET"'],
  ];
  for (const [rule, expected] of spellings) assert.equal(textOf(rule), expected);
});

test('parsePrincipal() refuses a short form that could mean several providers, and names the full forms', () => {
  for (const rule of ['user:alice', 'group:admins', 'email:a@example.com', 'email-domain:example.com']) {
    const refusal = refusalOf(rule, TWO);
    assert.match(refusal, /does not say which provider/);
    assert.ok(refusal.includes(`"local:${rule}" or "keycloak:${rule}"`), refusal);
  }
  assert.equal(textOf('signed-in', TWO), 'signed-in');
  assert.equal(textOf('keycloak:group:/developers', TWO), 'keycloak:group:/developers');
});

test('parsePrincipal() refuses rules about people where nobody can sign in', () => {
  for (const rule of ['user:alice', 'signed-in', 'group:x']) {
    assert.match(refusalOf(rule, { providers: [], services: [] }), /no provider that signs people in/);
  }
});

test('parsePrincipal() names what was probably meant', () => {
  const cases: [string, RegExp][] = [
    ['gruop:admins', /Did you mean "group:"/],
    ['signed_in', /Did you mean "signed-in"/],
    ['pubic', /Did you mean "public"/],
    ['locl:user:alice', /Did you mean "local"/],
    ['local:usr:alice', /Did you mean "local:user"/],
    ['service:protail', /Did you mean "service:promtail"/],
    ['user', /has no value .*"user:alice"/],
    ['token:CI', /has no valid token name.*lower case/],
    ['token:a b', /has no valid token name/],
    ['local:token:ci', /Write "token:ci"/],
    ['public:yes', /takes none/],
    ['local:ip:10.0.0.1', /Write "ip:10.0.0.1"/],
    ['weather:sunny', /unknown kind "weather"/],
  ];
  for (const [rule, expected] of cases) assert.match(refusalOf(rule), expected);
});

test('parsePrincipal() recognises kinds that need other providers and says so', () => {
  for (const rule of ['country:KR', 'local:country:KR']) {
    assert.match(refusalOf(rule), /is kept for a later one/);
  }
});

test('parsePrincipal() refuses values that are not exactly what the kind takes', () => {
  const wrong: RuleText[] = [
    'user:',
    'user: alice',
    'user:alice ',
    'user:al\nice',
    'email:alice',
    'email:a@evil.com@example.com',
    'email:\u212aate@example.com',
    'email:a@example.com.',
    'email-domain:@example.com',
    'email-domain:ex\u0430mple.com',
    'email-domain:*.example.com',
    'ip:',
    'ip:10.0.0.0/33',
    'ip:localhost',
    'ip:10.0.0.1,',
    'service:a b',
    'service:nobody',
    'client-certificate:abcd',
    'client-certificate:cn=',
    'client-certificate:ou=x',
    { all: [] },
    { all: ['public', 'nonsense'] },
  ];
  for (const rule of wrong) refusalOf(rule);
});

test('parsePrincipal() warns of a range that is everyone', () => {
  const { principal, diagnostics } = parsePrincipal('ip:0.0.0.0/0', [], ONE);
  assert.equal(principal.kind, 'ip');
  assert.deepEqual(
    diagnostics.map(({ severity }) => severity),
    ['warning'],
  );
});

test('parsePrincipal() points at the part of an all that is wrong and bounds its size', () => {
  const { diagnostics } = parsePrincipal({ all: ['signed-in', { all: ['ip:x'] }] }, ['allow', 2], ONE);
  assert.deepEqual(diagnostics[0]?.path, ['allow', 2, 'all', 1, 'all', 0]);
  let nested: RuleText = 'public';
  for (let i = 0; i < 9; i++) nested = { all: [nested] };
  assert.match(refusalOf(nested), /too large/);
  assert.match(refusalOf({ all: Array.from({ length: 65 }, () => 'public') }), /too large/);
});

test('parsePrincipal() never throws, and what it cannot read is never silent', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('', 'user:', 'ip:', 'email:', 'local:', 'service:'),
      (rest, head) => {
        const { principal, diagnostics } = parsePrincipal(head + rest, [], ONE);
        assert.equal(
          principal.kind === 'unreadable',
          diagnostics.some(({ severity }) => severity === 'error'),
        );
      },
    ),
  );
});
