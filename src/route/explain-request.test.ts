import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Document, PolicyTest } from '../config/document.ts';
import { ANONYMOUS } from '../policy/facts.ts';
import { compileTable } from './compile.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import { documentOf, hostOf, proxyTo, routeOf, rules, serverOf } from './document-fixture.ts';
import {
  explainRequest,
  explanationToJson,
  formatExplanation,
  type AskedRequest,
  type Explanation,
} from './explain-request.ts';
import { parseIdentity } from './persons.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { runPolicyTests } from './policy-tests.ts';

const HOSTS = [
  hostOf(
    'grafana.example.com',
    [
      routeOf('/lokiaws/*', ['ip:203.0.113.7'], { stripPrefix: '/lokiaws' }),
      routeOf('/lokitest/*', ['service:promtail'], { stripPrefix: '/lokitest' }),
      routeOf('/hooks/*', ['public'], { matchHeaders: { 'x-key': 'k', 'x-any': null } }),
      routeOf('/machines/*', ['client-certificate:cn=machine-7']),
      routeOf('/*', ['group:/developers']),
    ],
    { deny: rules('ip:192.0.2.0/24') },
  ),
];

const { table } = compileTable(documentOf(HOSTS));

function explain(url: string, changes: Partial<AskedRequest> = {}): Explanation {
  return explainRequest(table, { url, method: 'GET', identity: ANONYMOUS, ip: '198.51.100.1', ...changes });
}

function identityOf(as: string, groups: string[] = []): AskedRequest['identity'] {
  const who = parseIdentity(as, { groups }, table.providers);
  assert.equal(who.kind, 'identity');
  return (who as { identity: AskedRequest['identity'] }).identity;
}

test('explainRequest() prints host, route, rules and decision', () => {
  const text = formatExplanation(
    explain('https://GRAFANA.example.com:443/lokitest/api?x=1', { identity: identityOf('service:promtail') }),
  );
  assert.equal(
    text,
    `Host   grafana.example.com
Route  grafana.example.com /lokitest/*
Path   /lokitest/api -> /api
Rules
  deny  ip:192.0.2.0/24: not matched, client address is 198.51.100.1
> allow service:promtail: matched, service is "promtail", wanted "promtail"
Allowed by "service:promtail"
`,
  );
});

test('explainRequest() answers as the gateway would where there is no decision', () => {
  const cases: [string, Explanation['kind']][] = [
    ['https://other.example.com/', 'no-host'],
    ['https://auth.example.com/', 'sign-in-host'],
    ['https://grafana.example.com/LokiAWS/', 'no-route'],
    ['https://grafana.example.com/../x', 'bad-request'],
    ['https://grafana.example.com/a%2Fb', 'bad-request'],
    ['grafana.example.com/', 'bad-request'],
    ['/only/a/path', 'bad-request'],
    ['ftp://grafana.example.com/', 'bad-request'],
    ['', 'bad-request'],
  ];
  for (const [url, kind] of cases) {
    const explanation = explain(url);
    assert.equal(explanation.kind, kind, url);
    assert.ok(formatExplanation(explanation).endsWith('\n'));
    assert.equal((explanationToJson(explanation) as { kind: string }).kind, kind);
  }
});

test('explainRequest() gives the same as plain data', () => {
  const json = explanationToJson(explain('https://grafana.example.com/lokiaws/push', { ip: '203.0.113.7' }));
  const { rules: traces, ...rest } = JSON.parse(JSON.stringify(json)) as { rules: unknown[] };
  assert.equal(traces.length, 2);
  assert.deepEqual(rest, {
    kind: 'route',
    host: 'grafana.example.com',
    route: 'grafana.example.com /lokiaws/*',
    path: '/lokiaws/push',
    targetPath: '/push',
    decision: { kind: 'allow', rule: 'ip:203.0.113.7/32' },
  });
});

test('parseIdentity() gives a person the groups and roles that are written', () => {
  const keycloak = [{ id: 'keycloak', type: 'oidc' }];
  const read = parseIdentity('keycloak:user:alice', { groups: ['/ops'], roles: ['admin'] }, keycloak);
  assert.ok(read.kind === 'identity' && read.identity.kind === 'person');
  assert.deepEqual([read.identity.person.groups, read.identity.person.roles], [['/ops'], ['admin']]);
});

test('parseIdentity() reads the forms of a person or service and refuses the rest', () => {
  assert.deepEqual(identityOf('anonymous'), ANONYMOUS);
  assert.deepEqual(identityOf('service:x'), { kind: 'service', name: 'x' });
  for (const as of ['bob', 'user:bob', 'local:user:bob']) {
    const identity = identityOf(as, ['/a']);
    assert.ok(identity.kind === 'person');
    assert.deepEqual(
      [identity.person.provider, identity.person.name, identity.person.groups],
      ['local', 'bob', ['/a']],
    );
  }
  const byEmail = identityOf('email:bob@example.com');
  assert.ok(byEmail.kind === 'person' && byEmail.person.email === 'bob@example.com' && byEmail.person.emailVerified);
  for (const as of ['', 'group:x', 'ip:10.0.0.1', 'public:', 'nope:user:bob', 'signed-in:']) {
    assert.equal(parseIdentity(as, { groups: [] }, table.providers).kind, 'refused', as);
  }
  assert.equal(parseIdentity('anonymous', { groups: ['x'] }, table.providers).kind, 'refused');
  assert.equal(parseIdentity('service:a', { groups: [], roles: ['x'] }, table.providers).kind, 'refused');
  const two = [...table.providers, { id: 'keycloak', type: 'oidc' }];
  const unclear = parseIdentity('bob', { groups: [] }, two);
  assert.ok(unclear.kind === 'refused' && unclear.remedy === 'Write "local:user:bob" or "keycloak:user:bob"');
});

function testOf(changes: Partial<PolicyTest>): PolicyTest {
  const base = {
    as: 'anonymous',
    groups: [],
    roles: [],
    ip: '198.51.100.1',
    method: 'GET',
    url: 'https://grafana.example.com/',
    headers: {},
    clientCertificate: null,
    at: ['tests', 0],
  };
  return { ...base, expect: 'deny', ...changes };
}

function run(...tests: PolicyTest[]): string[] {
  const document: Document = documentOf(HOSTS, { tests });
  return runPolicyTests(document, table).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('runPolicyTests() is silent where the document keeps its promises', () => {
  const promises: Partial<PolicyTest>[] = [
    { expect: 'sign-in' },
    { as: 'bob', expect: 'deny' },
    { as: 'bob', groups: ['/developers'], expect: 'allow' },
    { as: 'local:user:bob', groups: ['/developers'], ip: '192.0.2.1', expect: 'deny' },
    { as: 'bob', groups: ['/developers'], ip: null, expect: 'deny' },
    { as: 'service:promtail', method: 'POST', url: 'https://grafana.example.com/lokitest/push', expect: 'allow' },
    { url: 'https://grafana.example.com/lokitest/push', expect: 'challenge' },
    { url: 'https://grafana.example.com/lokiaws/push', expect: 'deny' },
    { url: 'https://nowhere.example.com/', expect: 'deny' },
  ];
  assert.deepEqual(run(...promises.map(testOf)), []);
});

test('routes that are told apart by header fields are explained and tested by them', () => {
  const url = 'https://grafana.example.com/hooks/a';
  const fields = { 'X-Key': 'k', 'X-Any': 'thing' };
  const labelOf = (explanation: Explanation): string =>
    explanation.kind === 'route' ? explanation.route.label : explanation.kind;
  assert.equal(labelOf(explain(url, { headers: HeaderBlock.from(fields) })), 'grafana.example.com /hooks/*');
  assert.equal(labelOf(explain(url)), 'no-route', 'the broader route has other rules, and takes nothing past this one');
  assert.deepEqual(run(testOf({ url, headers: fields, expect: 'allow' }), testOf({ url, expect: 'deny' })), []);
});

test('rules about client certificates are explained and tested with one', () => {
  const url = 'https://grafana.example.com/machines/a';
  const asked = (clientCertificate: string, expect: PolicyTest['expect']): PolicyTest =>
    testOf({ url, clientCertificate, expect });
  assert.deepEqual(run(asked('cn=machine-7', 'allow'), asked('cn=machine-8', 'deny'), testOf({ url })), []);
  assert.deepEqual(run(asked('machine-7', 'allow')), [
    'tests.0.client_certificate: "machine-7" names no client certificate',
  ]);
});

test('runPolicyTests() names the test, what it gives and the rule that decided', () => {
  const failures = run(
    testOf({ as: 'bob', groups: ['/developers'], expect: 'deny', at: ['tests', 0] }),
    testOf({ as: 'bob', expect: 'sign-in', at: ['tests', 1] }),
    testOf({ ip: 'x', at: ['tests', 2] }),
    testOf({ as: 'nope:user:x', at: ['tests', 3] }),
    testOf({ url: 'https://nowhere.example.com/', expect: 'allow', at: ['tests', 4] }),
  );
  assert.deepEqual(failures, [
    'tests.0: Test "bob" GET "https://grafana.example.com/" gives "allow", expected "deny": grafana.example.com /*: Allowed by "local:group:/developers"',
    'tests.1: Test "bob" GET "https://grafana.example.com/" gives "deny", expected "sign-in": grafana.example.com /*: Denied by "(no rule)": "local:group:/developers" does not match: groups are none, wanted "/developers"',
    'tests.2.ip: Address "x" is not an IP address',
    'tests.3.as: Rule "nope:user:x" names the provider "nope", which the document does not have',
    'tests.4: Test "anonymous" GET "https://nowhere.example.com/" gives "deny", expected "allow": no host "nowhere.example.com"',
  ]);
});

const PERSONAL = [
  hostOf('ide.example.com', [
    routeOf('/*', ['signed-in'], { action: proxyTo(serverOf('/run/ide/{user.name}.sock', '', 'unix')) }),
  ]),
  hostOf('lab.example.com', [
    routeOf('/*', ['signed-in'], {
      action: {
        kind: 'choose',
        choices: [
          { when: rules('group:research'), action: proxyTo(serverOf('127.0.0.1', 9001)) as ProxyAction, at: [] },
          { when: rules('group:guests'), action: { kind: 'respond', status: 200, body: 'x', headers: {} }, at: [] },
        ],
      },
    }),
  ]),
];

test('explainRequest() says which app is meant for the visitor, as the gateway leads them', () => {
  const personal = compileTable(documentOf(PERSONAL)).table;
  const asked = (host: string, as: string, groups: string[] = []): Explanation =>
    explainRequest(personal, {
      url: `https://${host}.example.com/`,
      method: 'GET',
      identity: identityOf(as, groups),
      ip: null,
    });
  const appOf = (explanation: Explanation): unknown => [
    /^App .*$/m.exec(formatExplanation(explanation))?.[0],
    (explanationToJson(explanation) as { app?: string | null }).app,
  ];
  const cases: [Explanation, string | undefined, string | null | undefined][] = [
    [
      asked('ide', 'alice'),
      'App    unix:/run/ide/alice.sock (ide.example.com /*)',
      'unix:/run/ide/alice.sock (ide.example.com /*)',
    ],
    [asked('ide', 'a.b'), 'App    none for this visitor: a page that says so, with 403', null],
    [
      asked('lab', 'alice', ['guests', 'research']),
      'App    http://127.0.0.1:9001 (lab.example.com /* (1))',
      'http://127.0.0.1:9001 (lab.example.com /* (1))',
    ],
    [asked('lab', 'alice', ['guests']), 'App    respond (lab.example.com /* (2))', 'respond (lab.example.com /* (2))'],
    [asked('lab', 'alice'), 'App    none for this visitor: a page that says so, with 403', null],
    [asked('lab', 'anonymous'), undefined, undefined],
  ];
  for (const [explanation, line, app] of cases) assert.deepEqual(appOf(explanation), [line, app]);
});

test('runPolicyTests() counts whom no app is meant for as denied: they get a page', () => {
  const document = documentOf(PERSONAL, {
    tests: [
      testOf({ as: 'a.b', url: 'https://ide.example.com/', expect: 'deny' }),
      testOf({ as: 'alice', url: 'https://ide.example.com/', expect: 'allow' }),
      testOf({ as: 'alice', url: 'https://lab.example.com/', expect: 'allow' }),
    ],
  });
  const failed = runPolicyTests(document, compileTable(document).table).map(({ message }) => message);
  assert.equal(failed.length, 1);
  assert.match(failed[0] ?? '', /gives "deny", expected "allow": .*let in, but no app is meant for this visitor/);
});
