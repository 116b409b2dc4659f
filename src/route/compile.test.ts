import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Person } from '../core/person.ts';
import type { Identity } from '../core/person.ts';
import type { Facts } from '../policy/facts.ts';
import { canonicalPath } from '../wire/canonical-path.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { HttpSyntaxError } from '../wire/http-syntax-error.ts';
import { compileTable, compileTableLazily } from './compile.ts';
import { documentOf, hostOf, proxyTo, routeOf, rules, serverOf } from './document-fixture.ts';
import type { CompiledRoute, RoutingTable } from './table.ts';
import type { Document } from '../config/document.ts';
import { ADMINS, ALICE, ANYONE, contextOf, findPath, oneRoute, problemsOf, tableOf } from './_compile-rig.ts';

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
  const byMap = routeOf('/*', ['signed-in'], { action: proxyTo(serverOf('127.0.0.1', '{map.port}')) });
  const { table, diagnostics } = compileTable(documentOf([hostOf('a.example.com', [byMap])], { maps }));
  const [byPort] = table.hosts[0]?.routes ?? [];
  assert.ok(byPort);
  const told =
    'Port of the app "{map.port}" may be "70000" (of "local:user:bob"), which is not a number from 1 to 65535';
  assert.deepEqual(
    diagnostics.map(({ severity, message }) => [severity, message]),
    [['warning', told]],
  );
  const [mapped] = byPort.servers;
  assert.deepEqual(mapped?.resolve(contextOf()), { scheme: 'http', host: '127.0.0.1', port: 9101 });
  assert.equal(mapped?.resolve(contextOf({ identity: named('bob') })), null);
  assert.equal(mapped?.resolve(contextOf({ identity: named('carol') })), null);
  assert.equal(mapped?.resolve(contextOf({ identity: { kind: 'service', name: 'promtail' } }))?.port, 9000);
  assert.equal(mapped?.resolve(contextOf({ identity: named('constructor') })), null);
  assert.equal(byPort.needsIdentity, true);
});

test('no name makes a host of an address that resolvers take for this machine or a number', () => {
  const resolve = (host: string, name: string, maps = {}): string | null | undefined => {
    const action = proxyTo(serverOf(host, 8080));
    const { table } = compileTable(
      documentOf([hostOf('a.example.com', [routeOf('/*', ['signed-in'], { action })])], { maps }),
    );
    const identity: Identity = ALICE.kind === 'person' ? { kind: 'person', person: { ...ALICE.person, name } } : ALICE;
    return table.hosts[0]?.routes[0]?.servers[0]?.resolve(contextOf({ identity }))?.host ?? null;
  };
  for (const host of ['{user.name}', 'ide.{user.name}', '{user.provider}.{user.name}'])
    for (const name of ['localhost', '2130706433', '0', '0x7f000001', '0x', '017700000001', '127'])
      assert.equal(resolve(host, name), null, `${host} ${name}`);
  assert.equal(resolve('{user.name}', 'alice'), 'alice');
  assert.equal(resolve('{user.name}', '0xalice'), '0xalice', 'no number');
  assert.equal(resolve('{user.name}.ide.internal', '2024001'), '2024001.ide.internal');
  assert.equal(resolve('ide-{user.name}', '2024001'), 'ide-2024001');
  assert.equal(resolve('10.0.0.{user.name}', '7'), '10.0.0.7', 'the operator wrote the network');
  assert.equal(resolve('10.0.0.{user.name}', '0x7'), null);
  assert.equal(
    resolve('{map.node}', 'alice', { node: { 'user:alice': '2130706433' } }),
    '2130706433',
    "the operator's value",
  );
});

test('check warns of an address whose whole host is a name: its owner would choose among all neighbours', () => {
  const at = (host: string): string[] =>
    problemsOf([hostOf('a.example.com', [routeOf('/*', ['signed-in'], { action: proxyTo(serverOf(host, 8080)) })])]);
  assert.match(
    at('{user.name}').join(),
    /somebody who is called "db" is led to the host "db" .* Write "ide-\{user.name\}"/,
  );
  assert.deepEqual([...at('ide-{user.name}'), ...at('{user.name}.internal')], []);
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

test('Whom the rules keep out, those on trial and those of choices name counts as named, and a choice says what was not told', () => {
  const providers = [{ id: 'github', type: 'github', emailDomains: [], at: [] }] as unknown as Document['providers'];
  const rule = (text: string) => ({ rule: text, at: [] });
  const answer = { kind: 'respond', status: 200, headers: {}, body: '' } as const;
  const route = routeOf('/*', ['signed-in'], {
    deny: [rule('org:contractors')],
    shadow: { allow: [rule('org:trial')], deny: [] },
    action: {
      kind: 'choose',
      choices: [{ when: [rule('user:carol'), rule('team:lab/core')], action: answer, at: [] }],
    },
  });
  const host = { ...hostOf('app.example.com', [route]), deny: [rule('user:mallory')] };
  const { table, diagnostics } = compileTable(documentOf([host], { providers }));
  assert.deepEqual(diagnostics, []);
  const named = 'org:contractors user:mallory org:trial user:carol org:lab'.split(' ').map((one) => `github:${one}`);
  assert.deepEqual([...table.namedUsers].sort(), named.sort());
  const [choice] = table.findHost('app.example.com')?.routes[0]?.choices ?? [];
  const { person } = ALICE as { person: Person };
  const told = (withheld: readonly string[]) => {
    const identity = { kind: 'person', person: { ...person, provider: 'github', withheld } } as const;
    return choice?.unsaid({ identity, ip: null, clientCertificate: null, request: null });
  };
  assert.deepEqual(told(['lab'])?.withheld, ['lab']);
  assert.equal(told(['other'])?.unsaid, undefined);
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
