import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProxyAction } from '../config/document/actions.ts';
import { compileTable, compileTableLazily } from './compile.ts';
import { documentOf, hostOf, proxyTo, routeOf, rules, serverOf } from './document-fixture.ts';
import type { Document } from '../config/document.ts';
import type { Host, Route } from '../config/document/hosts.ts';
import { ADMINS, ANYONE, problemsOf } from './_compile-rig.ts';

test('compileTable() reports what cannot work, each with a remedy where there is one', () => {
  const one = (route: Route, changes: Partial<Host> = {}, document: Partial<Document> = {}): string[] =>
    problemsOf([hostOf('a.example.com', [route], changes)], document);
  const proxy = (host: string, port: number | string = 80): Partial<Route> => ({
    action: proxyTo(serverOf(host, port)),
  });
  const redirect = (to: string): Partial<Route> => ({ action: { kind: 'redirect', to, status: 302 } });
  const cases: [string[], RegExp][] = [
    [one(routeOf('x', ANYONE)), /does not start with "\/"/],
    [one(routeOf('/a*', ANYONE)), /only stand at the end/],
    [one(routeOf('/a/../b', ANYONE)), /segment/],
    [one(routeOf('/a?b', ANYONE)), /no path can have/],
    [one(routeOf('/x/*', ANYONE, { stripPrefix: '/y' })), /do not begin with "\/y"/],
    [one(routeOf('/x/*', ANYONE, { stripPrefix: '/' })), /is not a path such as/],
    [one(routeOf('/x/*', ANYONE, { rewrite: '/api/{path}' })), /"\/api\/\/x"/],
    [one(routeOf('/x/*', ANYONE, { rewrite: '/{user.name}' })), /only \{path\}/],
    [one(routeOf('/*', ['gruop:x'])), /Did you mean "group:"/],
    [one(routeOf('/*', ['service:nobody'])), /names a service/],
    [one(routeOf('/*', ['client-certificate:*'])), /asks for no client certificate/],
    [one(routeOf('/*', ['signed-in'], proxy('{user.nmae}'))), /\{user.nmae\} is not known/],
    [one(routeOf('/*', ['signed-in'], proxy('{path}'))), /\{path\} is not known here/],
    [one(routeOf('/*', ['signed-in'], proxy('{map.nope}'))), /names a map/],
    [one(routeOf('/*', ANYONE, proxy('ide-{user.name}'))), /depends on who is signed in/],
    [one(routeOf('/*', ANYONE, proxy('a', 70_000))), /not a number from 1 to 65535/],
    [one(routeOf('/*', ANYONE, redirect('{path}'))), /does not begin with/],
    [one(routeOf('/*', ANYONE, redirect('//evil.example/'))), /does not begin with/],
    [one(routeOf('/*', ANYONE, redirect('https://{user.name}.example.com/'))), /\{user.name\} is not known here/],
    [one(routeOf('/*', ANYONE), { name: 'auth.example.com' }), /is the sign-in host/],
    [one(routeOf('/*', ANYONE), { name: 'a.example.com:443' }), /is not a host name/],
    [one(routeOf('/*', ['signed-in']), { tls: { kind: 'off' } }), /tls: off/],
    [
      one(routeOf('/*', ANYONE), {}, { maps: { port: { 'email:x@example.com': '1' } } }),
      /not a person, a group or a machine/,
    ],
    [
      one(routeOf('/*', ANYONE), {}, { maps: { port: { alice: '1' } } }),
      /Write "user:alice", "service:alice" or "token:alice"/,
    ],
    [
      problemsOf([hostOf('a.example.com', [routeOf('/*', ANYONE), routeOf('/*', ADMINS, { methods: ['PUT'] })])]),
      /never reached/,
    ],
    [problemsOf([hostOf('a.example.com', []), hostOf('a.example.com', [])]), /twice/],
  ];
  for (const [problems, expected] of cases) {
    assert.equal(problems.length, 1, `${expected}: ${JSON.stringify(problems)}`);
    assert.match(problems[0] ?? '', expected);
  }
  const twoProviders = ['local', 'other'].map((id) => ({ id, type: 'local' as const, emailDomains: ['*'], at: [] }));
  assert.match(
    one(routeOf('/*', ['signed-in'], proxy('ide-{user.name}')), {}, { providers: twoProviders })[0] ?? '',
    /two providers/,
  );
  // Nobody else's alice can come, or the address says whose she is.
  assert.deepEqual(
    one(routeOf('/*', ['other:user:alice'], proxy('ide-{user.name}')), {}, { providers: twoProviders }),
    [],
  );
  const qualified = routeOf('/*', ['signed-in'], proxy('{user.provider}.{user.name}.ide'));
  assert.deepEqual(one(qualified, {}, { providers: twoProviders }), []);
  const joined = routeOf('/*', ['signed-in'], proxy('{user.provider}-{user.name}'));
  assert.match(one(joined, {}, { providers: twoProviders })[0] ?? '', /two providers/);
  assert.deepEqual(
    one(routeOf('/*', ['signed-in']), { tls: { kind: 'off' } }, { trustedProxies: ['127.0.0.1/32'] }),
    [],
  );
});

test('compileTable() tells an app whose a name is where people of two providers come by routes of their own', () => {
  const providers = ['local', 'kc'].map((id) => ({ id, type: 'local' as const, emailDomains: ['*'], at: [] }));
  const to = (port: number, allow: string[], path = '/*') =>
    routeOf(path, allow, { action: proxyTo(serverOf('127.0.0.1', port)) });
  const toDesk = proxyTo(serverOf('127.0.0.1', 3002)) as ProxyAction;
  const hosts = [
    hostOf('a.example.com', [to(3000, ['local:user:alice'], '/admin/*'), to(3000, ['kc:signed-in'])]),
    hostOf('b.example.com', [to(3001, ['kc:signed-in'])]),
    hostOf('c.example.com', [to(3001, ['kc:group:x'], '/x/*'), to(3001, ['public'])]),
    hostOf('d.example.com', [to(3002, ['local:signed-in'])]),
    hostOf('e.example.com', [
      routeOf('/*', ['kc:signed-in'], {
        action: { kind: 'choose', choices: [{ when: null, action: toDesk, at: [] }] },
      }),
    ]),
    hostOf('f.example.com', [to(3003, ['local:signed-in']), to(3003, ['token:ci'], '/api/*')]),
    hostOf('g.example.com', [to(3004, ['kc:group:x'], '/admin/*'), to(3004, ['signed-in'])]),
    hostOf('h.example.com', [to(3005, ['kc:signed-in', 'ip:192.0.2.0/24'])]),
    hostOf('i.example.com', [to(3006, ['public'])]),
    hostOf('j.example.com', [routeOf('/*', [{ all: ['ip:192.0.2.0/24', 'kc:signed-in'] }])]),
  ];
  const table = compileTable(documentOf(hosts, { providers })).table;
  const told = table.hosts.flatMap(({ routes }) => routes).map(({ id, plainNamesOf }) => [id, plainNamesOf]);
  assert.deepEqual(told, [
    ['a.example.com /admin/*', null],
    ['a.example.com /*', null],
    ['b.example.com /*', 'kc'],
    ['c.example.com /x/*', 'kc'],
    // Who is signed in already is told there, too: by the same name as elsewhere, and of others with their provider.
    ['c.example.com /*', 'kc'],
    ['d.example.com /*', null],
    ['e.example.com /*', null],
    ['f.example.com /*', 'local'],
    ['f.example.com /api/*', 'local'],
    ['g.example.com /admin/*', null],
    ['g.example.com /*', null],
    ['h.example.com /*', 'kc'],
    ['i.example.com /*', null],
    ['j.example.com /*', 'kc'],
  ]);
  // Each by itself could be meant; together alice of the one would sit at the desk of the other.
  const own = (name: string, allow: string[]) =>
    hostOf(name, [routeOf('/*', allow, { action: proxyTo(serverOf('ide-{user.name}', 80)) })]);
  const one = own('a.example.com', ['kc:signed-in']);
  assert.deepEqual(problemsOf([one], { providers }), []);
  const both = problemsOf([one, own('b.example.com', ['local:signed-in'])], { providers });
  assert.match(both.join(), /two providers, by this route or another one that leads there/);
});

test('compileTableLazily() tells apps the same as compileTable()', async () => {
  const providers = ['local', 'kc'].map((id) => ({ id, type: 'local' as const, emailDomains: ['*'], at: [] }));
  const hosts = ['local', 'kc'].map((id) =>
    hostOf(`${id}.example.com`, [routeOf('/*', [`${id}:signed-in`], { action: proxyTo(serverOf('127.0.0.1', 3000)) })]),
  );
  const lazy = await compileTableLazily(documentOf(hosts, { providers }), 5);
  for (const host of lazy.hosts)
    assert.deepEqual(
      host.routes.map((route) => route.plainNamesOf),
      [null],
      host.name,
    );
});

test('compileTable() warns of tokens that nobody who may come can have', () => {
  const asking = (token: 'access_token' | 'id_token', ...allow: string[]): string[] => {
    const identityHeaders = { ...routeOf('/*', allow).identityHeaders, tokens: [{ name: 'X-Token', token }] };
    const providers = ['local', 'github', 'keycloak'].map((id) => ({
      id,
      type: id === 'keycloak' ? 'oidc' : id,
      emailDomains: [],
      at: [],
    })) as unknown as Document['providers'];
    return problemsOf([hostOf('a.example.com', [routeOf('/*', allow, { identityHeaders })])], { providers });
  };
  for (const rule of ['local:signed-in', 'token:ci', 'link'])
    assert.match(
      asking('access_token', rule).join(),
      /passes the access token on, but nobody who may come has one/,
      rule,
    );
  assert.match(
    asking('id_token', 'github:user:alice').join(),
    /passes the ID token on.* OpenID provider in, or remove/,
  );
  assert.deepEqual(asking('access_token', 'github:user:alice'), []);
  assert.deepEqual(asking('id_token', 'local:signed-in', 'keycloak:signed-in'), []);
  assert.deepEqual(asking('access_token', 'signed-in'), []);
});

test('compileTable() warns where a route asks for what nobody who may come can show', () => {
  const asking = (wanted: Partial<Route['require'] & object>, ...allow: string[]): string[] => {
    const require = { secondFactor: false, acr: [], maxAgeMs: null, ...wanted };
    const secondFactor = { acr: [], amr: ['mfa'] };
    const providers = [
      { id: 'local', type: 'local' },
      { id: 'github', type: 'github' },
      { id: 'keycloak', type: 'oidc', acrValues: ['silver', 'gold'], secondFactor },
    ].map((one) => ({ ...one, emailDomains: [], at: [] })) as unknown as Document['providers'];
    return problemsOf([hostOf('a.example.com', [routeOf('/*', allow, { require })])], { providers });
  };
  for (const wanted of [{ maxAgeMs: 900_000 }, { acr: ['gold'] }, { secondFactor: true }]) {
    assert.match(
      asking(wanted, 'github:user:alice').join(),
      /no provider of those who may come can say.*GitHub says none/,
    );
    assert.deepEqual(asking(wanted, 'github:user:alice', 'local:signed-in'), []);
    assert.deepEqual(asking(wanted, 'keycloak:signed-in'), []);
  }
  assert.match(asking({ acr: ['platinum'] }, 'keycloak:signed-in').join(), /"acr" must be one of "acr_values"/);
  assert.deepEqual(asking({ maxAgeMs: 900_000 }, 'token:ci'), [], 'machines have none of it to show');
});

test('compileTable() names every place of a bad rule, though policies are shared', () => {
  const hosts = ['a', 'b'].map((name) =>
    hostOf(`${name}.example.com`, [routeOf('/*', [], { allow: [{ rule: 'gruop:x', at: ['hosts', name] }] })]),
  );
  assert.equal(problemsOf(hosts).length, 2);
  const shared = hostOf('a.example.com', [routeOf('/*', ANYONE), routeOf('/x', ADMINS)], { deny: rules('ip:x') });
  assert.equal(problemsOf([shared]).length, 1);
});
