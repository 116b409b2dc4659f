/**
 * `postern explain` against the live decision: random documents and requests, read by the same parser as
 * on the wire, judged by the gate with its memory of decisions. What explain says is what happens.
 */
import { NO_BEARER_ISSUERS } from '../../src/gate/bearer-issuers.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createGate } from '../../src/gate/gate.ts';
import type { Gate } from '../../src/gate/gate.ts';
import { compileTable } from '../../src/route/compile.ts';
import { documentOf, hostOf, routeOf } from '../../src/route/document-fixture.ts';
import { explainRequest } from '../../src/route/explain-request.ts';
import { keyOfToken, mintToken } from '../../src/session/token.ts';
import { HeaderBlock } from '../../src/wire/header-block.ts';
import { HttpSyntaxError } from '../../src/wire/http-syntax-error.ts';
import { parseRequestTarget } from '../../src/wire/request-target.ts';
import type { Host } from '../../src/config/document/hosts.ts';
import type { RuleText } from '../../src/config/document/rules.ts';
import type { Identity, Person } from '../../src/core/person.ts';
import type { RoutingTable } from '../../src/route/table.ts';
import type { Exchange } from '../../src/wire/exchange.ts';

const COOKIE = '__Host-postern-k3v9';
const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 600);

function person(name: string, groups: readonly string[]): Person {
  const email = `${name}@example.com`;
  return {
    provider: 'local',
    subject: name,
    name,
    displayName: name,
    email,
    emailVerified: name !== 'carol',
    groups,
    roles: [],
    amr: ['pwd'],
  };
}
const PEOPLE = [person('alice', ['staff']), person('bob', []), person('carol', ['staff', 'admins'])];

const RULES: readonly RuleText[] = [
  'public',
  'signed-in',
  'user:alice',
  'user:bob',
  'group:staff',
  'group:admins',
  'email-domain:example.com',
  'ip:192.0.2.0/24',
  'service:promtail',
  { all: ['signed-in', 'ip:192.0.2.1'] },
  { all: ['group:staff', 'group:admins'] },
  { when: 'method == "GET" && path.startsWith("/a")' },
  { when: '"staff" in user.groups' },
];
const someRules = (least: number): fc.Arbitrary<RuleText[]> =>
  fc.array(fc.constantFrom(...RULES), { minLength: least, maxLength: 3 });
const aRoute = fc.record({
  path: fc.constantFrom('/*', '/a/*', '/a/b', '/a/b/*', '/A/*', '/c%20d/*', '/x'),
  allow: someRules(1),
  deny: someRules(0),
  methods: fc.constantFrom<readonly string[]>([], ['GET'], ['POST', 'PUT']),
});
const aHost = (name: string): fc.Arbitrary<Host> =>
  fc.record({ routes: fc.array(aRoute, { minLength: 1, maxLength: 4 }), deny: someRules(0) }).map(({ routes, deny }) =>
    hostOf(
      name,
      routes.map(({ path, allow, deny: refused, methods }) =>
        routeOf(path, allow, { methods, deny: refused.map((rule, at) => ({ rule, at: ['deny', at] })) }),
      ),
      { deny: deny.map((rule, at) => ({ rule, at: ['deny', at] })) },
    ),
  );
const aDocument = fc.tuple(aHost('app.example.com'), aHost('*.example.com'), fc.option(aHost('*')));
const aRequest = fc.record({
  host: fc.constantFrom(
    'app.example.com',
    'APP.example.com',
    'other.example.com',
    'app.example.com.',
    'else.example',
    'auth.example.com',
  ),
  path: fc.constantFrom(
    '/',
    '/a',
    '/a/',
    '/a/b',
    '/A/b',
    '/a/b/c',
    '/a/../x',
    '/a/%2e%2e/x',
    '/a%2fb',
    '/x',
    '/x;y',
    '/.postern',
    '/.postern/x',
    '/.posternx',
    '/c%20d/e',
    '//a/b',
    '/a/b?q=/x',
    '/%61/b',
  ),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE'),
  who: fc.constantFrom(null, ...PEOPLE),
  ip: fc.constantFrom('192.0.2.1', '198.51.100.1', null),
});
type Asked = typeof aRequest extends fc.Arbitrary<infer T> ? T : never;

interface Rig {
  readonly gate: Gate;
  /** A cookie of this person on the host. */
  readonly cookieOf: (who: Person, host: string) => string;
}

function createRig(): Rig {
  const sessions = new Map<string, { token: string; who: Person; host: string }>();
  const clock = { now: () => 1_000_000 };
  const gate = createGate({
    clock,
    tokenPrefix: 'none-',
    reportTokenUse: () => undefined,
    findToken: () => Promise.resolve({ kind: 'absent' }),
    verifyBearer: () => Promise.resolve({ kind: 'absent' }),
    isConfirmed: () => true,
    reportUse: () => undefined,
    verifyPassword: () => Promise.resolve('wrong'),
    settings: () => ({
      staleForMs: 60_000,
      idleMs: 7_200_000,
      noteMs: 60_000,
      cookieName: COOKIE,
      plainCookieName: 'postern-k3v9',
      shared: null,
      bearers: NO_BEARER_ISSUERS,
      serviceVersion: () => null,
    }),
    find(key) {
      const found = sessions.get(key);
      if (found === undefined) return Promise.resolve({ kind: 'absent' });
      const { who, host } = found;
      const session = { key, parent: 'p', host, person: who, expiresAt: 9_000_000, lastSeenAt: 1_000_000 };
      return Promise.resolve({ kind: 'found', session });
    },
  });
  return {
    gate,
    cookieOf(who, host) {
      for (const it of sessions.values()) if (it.who === who && it.host === host) return it.token;
      const token = mintToken();
      sessions.set(keyOfToken(token), { token, who, host });
      return token;
    },
  };
}

/** As edge/serve.ts goes: host, route, encoded slash, gate. */
async function live(rig: Rig, table: RoutingTable, asked: Asked): Promise<string> {
  const { method, who, ip } = asked;
  const target = readTarget(method, `https://${asked.host}${asked.path}`);
  if (target?.authority === null || target === null) return 'bad-request';
  const { host } = target.authority;
  if (host === table.signInHost) return 'sign-in-host';
  const found = table.findHost(host);
  if (found === null) return 'no-host';
  if (/^\/\.postern(?:\/|$)/.test(target.path)) return 'own-path';
  const headers = HeaderBlock.from(who === null ? {} : { Cookie: `${COOKIE}=${rig.cookieOf(who, host)}` });
  const route = table.findRoute(found, target.path, method, headers);
  if (route === null) return 'no-route';
  if (target.hasEncodedSlash && route.config.encodedSlash === 'reject') return 'bad-request';
  const request = { method, path: target.path, query: target.query, host, port: null, version: '1.1', headers };
  const exchange = { request, connection: { clientCertificate: null } } as unknown as Exchange;
  const { decision } = await rig.gate.judge(exchange, { policy: route.policy, host, scheme: 'https' }, ip);
  return `${route.label} ${JSON.stringify(decision)}`;
}

function readTarget(method: string, url: string): ReturnType<typeof parseRequestTarget> | null {
  try {
    return parseRequestTarget(method, url);
  } catch (error) {
    if (error instanceof HttpSyntaxError) return null;
    throw error;
  }
}

function explained(table: RoutingTable, { host, path, method, who, ip }: Asked): string {
  const identity: Identity = who === null ? { kind: 'anonymous' } : { kind: 'person', person: who };
  const explanation = explainRequest(table, { url: `https://${host}${path}`, method, identity, ip });
  if (explanation.kind !== 'route') return explanation.kind;
  return `${explanation.route.label} ${JSON.stringify(explanation.decision)}`;
}

test('explain and the gate agree for random documents, people, addresses and requests', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(aDocument, fc.array(aRequest, { minLength: 1, maxLength: 12 }), async (hosts, requests) => {
      const [app, wild, fallback] = hosts;
      const { table } = compileTable(documentOf([app, wild], { fallback }));
      const rig = createRig();
      // Twice: the second time from the gate's memory.
      for (const asked of [...requests, ...requests]) {
        const happens = await live(rig, table, asked);
        assert.equal(explained(table, asked), happens);
        seen.add(/"kind":"([^"]+)"/.exec(happens)?.[1] ?? happens);
      }
    }),
    { numRuns: RUNS },
  );
  for (const kind of [
    'allow',
    'deny',
    'sign-in',
    'challenge',
    'no-route',
    'no-host',
    'bad-request',
    'sign-in-host',
    'own-path',
  ])
    assert.ok(seen.has(kind), `never ${kind}`);
});
