import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayEnter, report } from './sign-in-desk.ts';
import { compileTable } from '../route/compile.ts';
import { documentOf, hostOf, routeOf } from '../route/document-fixture.ts';
import type { OidcProvider } from '../config/document/providers.ts';
import type { Person } from '../core/person.ts';

const ALICE: Person = {
  provider: 'local',
  subject: 's1',
  name: 'alice',
  displayName: 'Alice',
  email: null,
  emailVerified: false,
  groups: ['staff'],
  roles: [],
  amr: ['pwd'],
};

function ask(host: string, path = '/'): string {
  const { table } = compileTable(
    documentOf([
      hostOf('staff.example', [routeOf('/*', ['group:staff'])]),
      hostOf('board.example', [routeOf('/*', ['group:board'])]),
      hostOf('both.example', [routeOf('/*', [{ all: ['signed-in', 'client-certificate:cn=laptop'] }])]),
      hostOf('office.example', [routeOf('/*', [{ all: ['signed-in', 'ip:203.0.113.0/24'] }])]),
      hostOf('fields.example', [
        routeOf('/*', ['group:staff'], { matchHeaders: { 'x-canary': null } }),
        routeOf('/*', ['group:board']),
      ]),
      hostOf('paths.example', [routeOf('/a/*', ['group:board'])]),
    ]),
  );
  return mayEnter(table, { host, path, query: '', person: ALICE, ip: '2001:db8::1' }).kind;
}

test('mayEnter() refuses where the rules ask for another person', () => {
  assert.equal(ask('staff.example'), 'allow');
  assert.equal(ask('board.example'), 'deny');
});

test('mayEnter() hands on what only the app host can judge: its certificate, its address, its fields', () => {
  // The sign-in host is another connection: it saw no certificate, and may have been reached over IPv6.
  for (const host of ['both.example', 'office.example', 'fields.example']) assert.equal(ask(host), 'allow', host);
  assert.equal(ask('paths.example', '/elsewhere'), 'allow');
});

test('mayEnter() asks for what the route asks for, also where only the app host can judge the rest', () => {
  const require = { secondFactor: false, acr: [], maxAgeMs: 900_000 };
  const { table } = compileTable(
    documentOf([
      hostOf('staff.example', [routeOf('/*', ['group:staff'], { require })]),
      hostOf('office.example', [routeOf('/*', [{ all: ['signed-in', 'ip:203.0.113.0/24'] }], { require })]),
    ]),
  );
  const of = (host: string, authenticatedAt: number) =>
    mayEnter(table, { host, path: '/', query: '', person: { ...ALICE, authenticatedAt }, ip: '2001:db8::1' });
  for (const host of ['staff.example', 'office.example']) {
    const { needs, judged } = of(host, Date.now() - 900_000);
    assert.deepEqual(needs, require, host);
    assert.equal(judged !== undefined, host === 'staff.example', 'what is judged elsewhere is logged there');
    assert.equal(of(host, Date.now()).kind, 'allow', host);
  }
});

test('mayEnter() says what a provider did not say, and the rule only to whoever may know', () => {
  const kc = {
    id: 'kc',
    type: 'oidc',
    preset: 'oidc',
    label: 'Acme',
    emailDomains: [],
    groupsClaims: ['groups'],
    rolesClaims: ['roles'],
    at: ['providers', 'kc'],
  } as unknown as OidcProvider;
  const document = documentOf([hostOf('staff.example', [routeOf('/*', ['kc:group:staff'])])], { providers: [kc] });
  const { signIn } = document;
  const rule = { rule: 'kc:user:olga', at: ['sign_in'] };
  const { table } = compileTable({ ...document, signIn: { ...signIn, showRuleTo: [rule] } });
  const of = (name: string, unsaid?: Person['unsaid']) => {
    const someone: Person = { ...ALICE, provider: 'kc', name, groups: [], ...(unsaid === undefined ? {} : { unsaid }) };
    return mayEnter(table, { host: 'staff.example', path: '/', query: '', person: someone, ip: null }, [kc]);
  };
  const claims = { label: 'Acme', id: 'kc', preset: 'oidc', missing: [{ what: 'groups', claims: ['groups'] }] };
  const judged = { route: 'staff.example /*', rule: '(no rule)', shadow: null };
  assert.deepEqual(of('bob', ['groups']), { kind: 'deny', unsaid: claims, judged });
  assert.deepEqual(of('bob'), { kind: 'deny', unsaid: null, judged });
  const known = of('olga', ['groups']);
  assert.deepEqual(known.unsaid, claims);
  assert.match(known.refusedBy?.reason ?? '', /"kc" did not say the groups/);
});

test('report() warns of what stands behind a sign-in, and not of what any stranger can bring about', () => {
  const said: unknown[] = [];
  const tell = (level: string) => (facts: object, message: string) => void said.push([level, message, facts]);
  const log = { info: tell('info'), warn: tell('warn'), error: tell('error') } as unknown as Parameters<
    typeof report
  >[0];
  const event = { kind: 'provider-problem', requestId: 'r1', ip: null, provider: 'kc', reason: 'invalid' } as const;
  report(log, { ...event, message: 'made up', isAnybodys: true });
  report(log, { ...event, message: 'of another issuer' });
  const facts = { code: 'SIGN_IN_REFUSED', event: 'provider-problem', reason: 'invalid', requestId: 'r1', ip: null };
  assert.deepEqual(said, [
    ['info', 'made up', { ...facts, provider: 'kc' }],
    ['warn', 'of another issuer', { ...facts, provider: 'kc' }],
  ]);
});
