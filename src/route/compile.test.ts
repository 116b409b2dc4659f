import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ProxyAction } from '../config/document/actions.ts';
import type { RuleText } from '../config/document/rules.ts';
import type { Identity } from '../core/person.ts';
import type { Facts } from '../policy/facts.ts';
import { canonicalPath } from '../wire/canonical-path.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { HttpSyntaxError } from '../wire/http-syntax-error.ts';
import { compileTable, compileTableLazily } from './compile.ts';
import { documentOf, hostOf, proxyTo, routeOf, rules, serverOf } from './document-fixture.ts';
import type { CompiledRoute, RoutingTable } from './table.ts';
import type { TemplateContext } from './template.ts';
import type { Document } from '../config/document.ts';
import type { Host, Route } from '../config/document/hosts.ts';

const NO_HEADERS = new HeaderBlock();
const ANYONE: RuleText[] = ['public'];
const ADMINS: RuleText[] = ['group:admins'];
const ALICE: Identity = {
  kind: 'person',
  person: {
    provider: 'local',
    subject: '1',
    name: 'alice',
    displayName: '',
    email: null,
    emailVerified: false,
    groups: [],
    roles: [],
    amr: [],
  },
};

function tableOf(hosts: readonly Host[], changes: Partial<Document> = {}): RoutingTable {
  const { table, diagnostics } = compileTable(documentOf(hosts, changes));
  assert.deepEqual(diagnostics, []);
  return table;
}

function problemsOf(hosts: readonly Host[], changes: Partial<Document> = {}): string[] {
  return compileTable(documentOf(hosts, changes)).diagnostics.map(({ message, remedy }) => `${message} / ${remedy}`);
}

function findPath(table: RoutingTable, path: string, method = 'GET', headers: HeaderBlock = NO_HEADERS): string | null {
  const host = table.findHost('a.example.com');
  assert.ok(host);
  return table.findRoute(host, path, method, headers)?.config.path ?? null;
}

function oneRoute(route: Route, changes: Partial<Document> = {}): CompiledRoute {
  const found = tableOf([hostOf('a.example.com', [route])], changes).hosts[0]?.routes[0];
  assert.ok(found);
  return found;
}

function contextOf(changes: Partial<TemplateContext> = {}): TemplateContext {
  return { identity: ALICE, ip: '192.0.2.1', requestId: 'r1', path: '/x', query: '?q=1', ...changes };
}

test('findHost() takes the exact name, then the nearest wildcard, then the fallback', () => {
  const names = ['example.com', 'a.example.com', '*.example.com', '*.b.example.com', '[::1]'];
  const hosts = names.map((name) => hostOf(name, [routeOf('/*', ANYONE)]));
  const table = tableOf(hosts, { fallback: hostOf('*', [routeOf('/*', ANYONE)]) });
  const cases: [string, string | undefined, boolean][] = [
    ['example.com', 'example.com', true],
    ['a.example.com', 'a.example.com', true],
    ['z.example.com', '*.example.com', true],
    ['y.z.example.com', '*.example.com', true],
    ['y.b.example.com', '*.b.example.com', true],
    ['b.example.com', '*.example.com', true],
    ['x.a.example.com', '*.example.com', true],
    ['evilexample.com', '*', false],
    ['.example.com', '*', false],
    ['*.example.com', '*.example.com', true],
    ['[::1]', '[::1]', true],
    ['com', '*', false],
    ['auth.example.com', undefined, true],
  ];
  for (const [host, expected, isKnown] of cases) {
    assert.equal(table.findHost(host)?.name, expected, host);
    assert.equal(table.isKnownHost(host), isKnown, host);
  }
  assert.equal(tableOf(hosts).findHost('other.org'), null);
});

test('findRoute() takes the most specific path, by whole segments', () => {
  const paths = ['/*', '/x/*', '/x/y/*', '/x/y', '/exact', '/x/y/z/*'];
  const table = tableOf([
    hostOf(
      'a.example.com',
      paths.map((path) => routeOf(path, ANYONE)),
    ),
  ]);
  const cases: [string, string][] = [
    ['/', '/*'],
    ['/x', '/x/*'],
    ['/x/', '/x/*'],
    ['/x/q', '/x/*'],
    ['/xy', '/*'],
    ['/x/y', '/x/y'],
    ['/x/y/', '/x/y/*'],
    ['/x/yy', '/x/*'],
    ['/x/y/z', '/x/y/z/*'],
    ['/x/y/z/1/2/3', '/x/y/z/*'],
    ['/exact', '/exact'],
    ['/exact/more', '/*'],
    ['/exac', '/*'],
  ];
  for (const [path, expected] of cases) assert.equal(findPath(table, path), expected, path);
  assert.equal(findPath(table, '*', 'OPTIONS'), null);
});

test('findRoute() finds nothing where no path of the host matches', () => {
  const table = tableOf([hostOf('a.example.com', [routeOf('/x/*', ANYONE), routeOf('/y', ANYONE)])]);
  for (const path of ['/', '/z', '/xx', '/y/1']) assert.equal(findPath(table, path), null, path);
});

test('findRoute() judges methods and headers in the order of the document, then goes on to broader paths', () => {
  const table = tableOf([
    hostOf('a.example.com', [
      routeOf('/api/*', ANYONE, { methods: ['GET'], matchHeaders: { 'x-version': '2' }, at: ['first'] }),
      routeOf('/api/*', ANYONE, { methods: ['GET', 'PUT'], at: ['second'] }),
      routeOf('/api/*', ANYONE, { matchHeaders: { 'x-any': null }, at: ['third'] }),
      routeOf('/*', ANYONE, { at: ['last'] }),
    ]),
  ]);
  const host = table.findHost('a.example.com');
  assert.ok(host);
  const at = (method: string, headers: Record<string, string | string[]> = {}): unknown =>
    table.findRoute(host, '/api/1', method, HeaderBlock.from(headers))?.config.at[0];
  assert.equal(at('GET', { 'X-Version': '2' }), 'first');
  assert.equal(at('GET', { 'X-Version': ['2', '3'] }), 'second');
  assert.equal(at('GET', { 'X-Version': '22' }), 'second');
  assert.equal(at('HEAD'), 'second');
  assert.equal(at('PUT'), 'second');
  assert.equal(at('POST', { 'X-Any': '' }), 'third');
  assert.equal(at('POST'), 'last');
});

test('a stricter route is not evaded by letter case, parameters, escapes, a trailing slash or a method', () => {
  const table = tableOf([
    hostOf('a.example.com', [
      routeOf('/*', ANYONE),
      routeOf('/admin/*', ADMINS),
      routeOf('/Secret', ADMINS),
      routeOf('/me@x/*', ADMINS),
      routeOf('/edit/*', ADMINS, { methods: ['PUT'] }),
      routeOf('/admin/open/*', ANYONE),
    ]),
  ]);
  const cases: [string, string | null][] = [
    ['/admin', '/admin/*'],
    ['/admin/x', '/admin/*'],
    ['/admin/open/x', '/admin/open/*'],
    ['/other', '/*'],
    ['/Other/UPPER', '/*'],
    ['/administrator', '/*'],
    ['/Admin', null],
    ['/ADMIN/x', null],
    ['/secret', null],
    ['/Secret', '/Secret'],
    ['/Secret/', null],
    ['/admin;x=1', null],
    ['/admin;x/y', null],
    ['/;x/admin', null],
    ['/other;v=1', null],
    ['/x/..;/admin', null],
    ['/x%2F..%2Fadmin', null],
    ['/%61dmin', null],
    ['/%2561dmin', null],
    ['/me%40x/1', null],
    ['/me@x/1', '/me@x/*'],
    ['/admin%2Fx', null],
    ['/admin%5Cx', null],
    ['/caf%C3%A9', '/*'],
    ['/a%20b', '/*'],
    ['/edit/1', null],
  ];
  for (const [path, expected] of cases) assert.equal(findPath(table, path), expected, path);
  assert.equal(findPath(table, '/edit/1', 'PUT'), '/edit/*');
});

test('a public exception below a protected route does not refuse what the protected route takes', () => {
  const table = tableOf([
    hostOf('a.example.com', [
      routeOf('/*', ADMINS),
      routeOf('/hook/*', ANYONE, { methods: ['POST'] }),
      routeOf('/Login', ANYONE),
    ]),
  ]);
  assert.equal(findPath(table, '/hook/1', 'POST'), '/hook/*');
  assert.equal(findPath(table, '/hook/1', 'GET'), '/*');
  assert.equal(findPath(table, '/HOOK/1', 'POST'), '/*');
  assert.equal(findPath(table, '/login'), '/*');
  assert.equal(findPath(table, '/app;jsessionid=1'), '/*');
  assert.equal(findPath(table, '/Login;x'), '/*');
});

test('hosts with one policy take every spelling: there is nothing to evade', () => {
  const table = tableOf([hostOf('a.example.com', [routeOf('/*', ADMINS), routeOf('/x/*', ADMINS)])]);
  for (const path of ['/X/1', '/x;1', '/x%2Fy']) assert.equal(findPath(table, path), '/*', path);
});

test('no spelling of a path reaches a public route where the app would see a protected one', () => {
  const table = tableOf([
    hostOf('a.example.com', [routeOf('/*', ANYONE), routeOf('/admin/*', ADMINS), routeOf('/admin/css/*', ANYONE)]),
  ]);
  const piece = fc.constantFrom(
    '/',
    'admin',
    'Admin',
    'ADMIN',
    '%61dmin',
    '%2561dmin',
    'css',
    ';',
    ';x',
    '..',
    '.',
    '%2f',
    '%5C',
    '%2e',
    'x',
    '%3B',
    '%25',
  );
  const laxPath = (path: string): string => {
    let text = path;
    for (let i = 0; i < 3; i++)
      text = text.replace(/%([0-7][0-9a-fA-F])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    const segments = text
      .toLowerCase()
      .replaceAll('\\', '/')
      .split('/')
      .map((segment) => segment.replace(/;.*$/s, ''));
    const kept: string[] = [];
    for (const segment of segments) {
      if (segment === '..') kept.pop();
      else if (segment !== '' && segment !== '.') kept.push(segment);
    }
    return kept.join('/');
  };
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const raw = `/${pieces.join('')}`;
      let path: string;
      try {
        path = canonicalPath(raw, 0, raw.length).path;
      } catch (error) {
        assert.ok(error instanceof HttpSyntaxError);
        return;
      }
      const found = findPath(table, path);
      const seen = laxPath(path);
      const isProtected = /^admin(?!\/css(?:\/|$))(?:\/|$)/.test(seen);
      if (isProtected) assert.ok(found === '/admin/*' || found === null, `${path} reached ${found}, seen as ${seen}`);
    }),
    { numRuns: 3_000 },
  );
});

test('targetPath() strips, rewrites, and refuses what would be read as another path', () => {
  const stripped = oneRoute(routeOf('/loki/*', ANYONE, { stripPrefix: '/loki' }));
  assert.equal(stripped.targetPath('/loki'), '/');
  assert.equal(stripped.targetPath('/loki/'), '/');
  assert.equal(stripped.targetPath('/loki/api/v1/push'), '/api/v1/push');
  assert.equal(stripped.targetPath('/lokix'), null);
  assert.equal(stripped.targetPath('/loki//x'), null);
  assert.equal(stripped.targetPath('/loki/../x'), null);
  assert.equal(stripped.targetPath('/loki/a%2Fb'), '/a%2Fb');
  const both = oneRoute(routeOf('/x/y/*', ANYONE, { stripPrefix: '/x/', rewrite: '/api{path}/v1' }));
  assert.equal(both.targetPath('/x/y/z'), '/api/y/z/v1');
  assert.equal(both.targetPath('/x/y/'), null);
  assert.equal(oneRoute(routeOf('/a', ANYONE, { rewrite: '/index.html' })).targetPath('/a'), '/index.html');
  assert.equal(oneRoute(routeOf('/*', ANYONE)).targetPath('/any/path'), '/any/path');
});

test('targetPath() answers canonical paths or null for any path', () => {
  const route = oneRoute(routeOf('/a/*', ANYONE, { stripPrefix: '/a', rewrite: '/b{path}' }));
  fc.assert(
    fc.property(fc.array(fc.constantFrom('/', '.', '..', 'a', ';', '%2F', '%2E', '//', '\\')), (pieces) => {
      const target = route.targetPath(`/a${pieces.join('')}`);
      if (target !== null) assert.equal(canonicalPath(target, 0, target.length).path, target);
    }),
  );
});

test('addresses are filled from administrator-assigned values or not at all', () => {
  const maps = { port: { 'user:alice': '9101', 'local:user:bob': '70000', 'service:promtail': '9000' } };
  const byName = oneRoute(
    routeOf('/*', ['signed-in'], { action: proxyTo(serverOf('/run/ide/{user.name}.sock', 0, 'unix')) }),
  );
  const [socket] = byName.servers;
  const named = (name: string): Identity => ({
    kind: 'person',
    person: { ...(ALICE as { person: object }).person, name } as never,
  });
  assert.equal(socket?.fixed, null);
  assert.deepEqual(socket?.resolve(contextOf()), { scheme: 'unix', host: '/run/ide/alice.sock', port: 0 });
  for (const name of ['../etc', 'Alice', 'a.b', 'a b', '', 'x'.repeat(65), 'é']) {
    assert.equal(socket?.resolve(contextOf({ identity: named(name) })), null, name);
  }
  assert.equal(socket?.resolve(contextOf({ identity: { kind: 'anonymous' } })), null);
  const byPort = oneRoute(routeOf('/*', ['signed-in'], { action: proxyTo(serverOf('127.0.0.1', '{map.port}')) }), {
    maps,
  });
  const [mapped] = byPort.servers;
  assert.deepEqual(mapped?.resolve(contextOf()), { scheme: 'http', host: '127.0.0.1', port: 9101 });
  assert.equal(mapped?.resolve(contextOf({ identity: named('bob') })), null);
  assert.equal(mapped?.resolve(contextOf({ identity: named('carol') })), null);
  assert.equal(mapped?.resolve(contextOf({ identity: { kind: 'service', name: 'promtail' } }))?.port, 9000);
  assert.equal(mapped?.resolve(contextOf({ identity: named('constructor') })), null);
  assert.equal(byPort.needsIdentity, true);
});

test('keys of maps are read as rules are: the provider written out, names of GitHub as GitHub compares them', () => {
  const providers = [{ id: 'github', type: 'github', emailDomains: [], at: [] }] as unknown as Document['providers'];
  const maps = {
    port: { 'user:Alice': '9101', 'github:user:alice': '9102', 'org:Acme': '9103', 'team:ACME/core': '9104' },
  };
  const route = routeOf('/*', ['signed-in'], { action: proxyTo(serverOf('127.0.0.1', '{map.port}')) });
  const { table, diagnostics } = compileTable(documentOf([hostOf('app.example.com', [route])], { maps, providers }));
  assert.deepEqual(diagnostics, []);
  const [server] = table.findHost('app.example.com')?.routes[0]?.servers ?? [];
  const portOf = (name: string, groups: readonly string[]): number | undefined => {
    const person = { ...(ALICE as { person: object }).person, provider: 'github', name, groups } as never;
    return server?.resolve(contextOf({ identity: { kind: 'person', person } }))?.port;
  };
  assert.equal(portOf('alice', ['acme']), 9102, 'of two spellings the full one');
  assert.equal(portOf('bob', ['acme', 'acme/core']), 9103, 'the first in the document');
  assert.equal(portOf('bob', ['acme/core']), 9104);
  assert.equal(portOf('bob', ['other']), undefined);
  // Names are pinned, and organisations asked about, as those of rules are.
  assert.deepEqual([...table.namedUsers].sort(), ['github:org:acme', 'github:user:alice']);
});

test('headers and redirects are filled, and never with control characters or another site', () => {
  const maps = { org: { 'service:promtail': 'tenant-1' } };
  const requestHeaders = {
    add: {
      'X-Scope-OrgID': '{map.org}',
      'X-Fixed': 'yes',
      'X-Who': '{user.name} {client.ip}',
      'X-Json': '{"a":{}} {map.no}',
    },
    remove: [],
  };
  const route = oneRoute(routeOf('/*', ANYONE, { requestHeaders }), { maps });
  const [org, fixed, who, json] = route.requestHeaders;
  assert.equal(org?.render(contextOf({ identity: { kind: 'service', name: 'promtail' } })), 'tenant-1');
  assert.equal(org?.render(contextOf()), null);
  assert.equal(fixed?.fixed, 'yes');
  assert.equal(json?.fixed, '{"a":{}} {map.no}');
  assert.equal(who?.render(contextOf()), 'alice 192.0.2.1');
  assert.equal(who?.render(contextOf({ ip: null })), null);
  assert.equal(route.needsIdentity, true);
  const redirect = (to: string): CompiledRoute =>
    oneRoute(routeOf('/*', ANYONE, { action: { kind: 'redirect', to, status: 308 } }));
  assert.equal(
    redirect('https://www.example.com{path}{query}').redirectTo?.(contextOf()),
    'https://www.example.com/x?q=1',
  );
  assert.equal(redirect('/{path}').redirectTo?.(contextOf({ path: '/evil.com' })), null);
  assert.equal(redirect('/new{path}').redirectTo?.(contextOf()), '/new/x');
  const moved = routeOf('/old/*', ANYONE, {
    stripPrefix: '/old',
    action: { kind: 'redirect', to: 'https://b.example.com{path}', status: 308 },
  });
  assert.equal(oneRoute(moved).redirectTo?.(contextOf({ path: '/old/x' })), 'https://b.example.com/x');
});

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
    one(routeOf('/*', ['signed-in'], proxy('{user.name}')), {}, { providers: twoProviders })[0] ?? '',
    /two providers/,
  );
  // Nobody else's alice can come, or the address says whose she is.
  assert.deepEqual(one(routeOf('/*', ['other:user:alice'], proxy('{user.name}')), {}, { providers: twoProviders }), []);
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
  ];
  const table = compileTable(documentOf(hosts, { providers })).table;
  const qualifying = table.hosts.flatMap(({ routes }) => routes).filter((route) => route.qualifiesNames);
  assert.deepEqual(
    qualifying.map(({ id }) => id).filter((id) => !id.startsWith('c.')),
    ['a.example.com /admin/*', 'a.example.com /*', 'd.example.com /*', 'e.example.com /*'],
  );
  assert.ok(!qualifying.some(({ id }) => id === 'c.example.com /x/*'), 'a public route tells names of nobody');
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
      host.routes.map((route) => route.qualifiesNames),
      [true],
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

test('a deny of the host comes before every route and is part of its policy', () => {
  const table = tableOf([
    hostOf('a.example.com', [routeOf('/*', ANYONE), routeOf('/x', ANYONE, { deny: rules('user:bob') })], {
      deny: rules('ip:192.0.2.0/24'),
    }),
  ]);
  for (const { policy } of table.hosts[0]?.routes ?? []) {
    const facts: Omit<Facts, 'ip'> = { identity: ALICE, clientCertificate: null, request: null };
    assert.equal(policy.decide({ ...facts, ip: '192.0.2.1' }).kind, 'deny');
    assert.equal(policy.decide({ ...facts, ip: '198.51.100.1' }).kind, 'allow');
  }
});

test('compileTableLazily() answers as compileTable() does, and leaves the event loop free', async () => {
  const hosts = Array.from({ length: 10_000 }, (_, i) =>
    hostOf(`h${i}.example.com`, [routeOf('/x/*', [`user:u${i}`]), routeOf('/*', ['signed-in'])]),
  );
  const document = documentOf([...hosts, hostOf('*.example.org', [routeOf('/*', ['public'])])]);
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const table = await compileTableLazily(document, 0);
  isDone = true;
  assert.ok(turns > 3, `${turns} turns`);
  const whole = compileTable(document);
  assert.deepEqual(whole.diagnostics, []);
  assert.equal(table.hosts.length, 10_001);
  assert.deepEqual(table.namedUsers, whole.table.namedUsers);
  const shownBy = (from: RoutingTable, name: string): unknown =>
    from.findHost(name)?.routes.map(({ label, policy, needsIdentity }) => [label, policy.id, needsIdentity]);
  for (const name of ['h0.example.com', 'h9999.example.com', 'x.y.example.org', 'unknown.test'])
    assert.deepEqual(shownBy(table, name), shownBy(whole.table, name));
  assert.equal(table.findHost('h9.example.com')?.match, table.findHost('h9.example.com')?.match);
});

test('mayKnowRules() is true for whom sign_in.show_rule_to names, and for nobody without it', () => {
  const route = routeOf('/*', ['group:staff']);
  assert.ok(ALICE.kind === 'person');
  const { person } = ALICE;
  const factsOf = (groups: string[]) => ({
    identity: { kind: 'person', person: { ...person, groups } } as const,
    ip: null,
    clientCertificate: null,
    request: null,
  });
  const signIn = documentOf([]).signIn;
  const named = { signIn: { ...signIn, showRuleTo: rules('group:admins') } };
  const { table, diagnostics } = compileTable(documentOf([hostOf('a.example.com', [route])], named));
  assert.deepEqual(diagnostics, []);
  assert.equal(table.mayKnowRules(factsOf(['admins'])), true);
  assert.equal(table.mayKnowRules(factsOf(['staff'])), false);
  const without = compileTable(documentOf([hostOf('a.example.com', [route])])).table;
  assert.equal(without.mayKnowRules(factsOf(['admins'])), false);
  const wrong = compileTable(documentOf([], { signIn: { ...signIn, showRuleTo: rules('nonsense:x') } }));
  assert.equal(wrong.diagnostics.length, 1);
});
