import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { compileTable } from './compile.ts';
import { documentOf, hostOf, proxyTo, routeOf, rules, serverOf } from './document-fixture.ts';
import { createPolicyDiffer, readLogLine } from './policy-diff.ts';
import type { KnownPerson, PolicyDiff } from './policy-diff.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import type { Route } from '../config/document/hosts.ts';
import type { RuleText, StepUp } from '../config/document/rules.ts';
import type { RoutingTable } from './table.ts';

const table = (allowed: Readonly<Record<string, RuleText[]>>): RoutingTable =>
  compileTable(
    documentOf([
      hostOf(
        'app.example.com',
        Object.entries(allowed).map(([path, allow]) => routeOf(path, allow)),
      ),
    ]),
  ).table;
const ADA: KnownPerson = { provider: 'local', name: 'ada', groups: ['ops'] };

function line(who: string, decision: string, over: Record<string, unknown> = {}): string {
  const request = { method: 'GET', host: 'app.example.com', path: '/x?a=1', ip: '192.0.2.1' };
  return JSON.stringify({ kind: 'request', time: 'now', ...request, who, decision, status: 200, ...over });
}

function diff(before: RoutingTable, after: RoutingTable, lines: readonly string[], people = [ADA]): PolicyDiff {
  const differ = createPolicyDiffer({ before, after }, people);
  for (const one of lines) {
    const request = readLogLine(one);
    if (typeof request === 'object') differ.add(request);
  }
  return differ.result();
}

test('whoever came by a link and asks for more than it leads to is replayed as they were, and guessed about nowhere', () => {
  const before = table({ '/*': ['group:ops', 'link', 'ip:192.0.2.0/24'] });
  const outside = { path: '/favicon.ico', ip: '198.51.100.1' };
  const lines = [line('link:doc', 'allow', { ip: '198.51.100.1' }), line('link:doc', 'sign-in', outside)];
  const closed = diff(before, table({ '/*': ['group:ops'] }), lines);
  assert.deepEqual([closed.requests, closed.unclear], [2, []]);
  assert.deepEqual(
    closed.changes.map((one) => [one.who, one.before.outcome, one.after.outcome, one.requests]),
    [['link:doc', 'allow', 'sign-in', 1]],
  );
  const open = diff(before, table({ '/*': ['public'] }), lines);
  assert.deepEqual(
    open.changes.map((one) => [one.before.outcome, one.after.outcome, one.example]),
    [['sign-in', 'allow', 'GET app.example.com/favicon.ico']],
  );
  // By the address: whether the link alone would do is not in the log.
  const known = diff(before, table({ '/*': ['group:ops', 'link'] }), [line('link:doc', 'allow')]);
  assert.deepEqual([known.changes, known.unclear], [[], [{ who: 'link:doc', requests: 1 }]]);
});

test('a replayed log shows whose access changes, how often, and by which rules', () => {
  const before = table({ '/*': ['signed-in', 'token:ci'] });
  const after = table({ '/*': ['group:ops', 'ip:192.0.2.0/24'], '/y/*': ['user:bob'] });
  const got = diff(before, after, [
    line('local:ada', 'allow'),
    line('local:bob', 'allow', { ip: '198.51.100.1' }),
    line('local:bob', 'allow', { ip: '198.51.100.1' }),
    line('local:bob', 'allow', { path: '/y/z' }),
    line('token:ci', 'allow', { ip: null }),
    line('-', 'sign-in'),
    line('local:ada', 'own', { path: '/.postern/userinfo' }),
    line('-', 'deny', { reason: 'not-admitted', wantedHost: 'app.example.com', wantedPath: '/x' }),
    'not JSON',
    '{"level":"info"}',
  ]);
  assert.equal(got.requests, 6);
  assert.deepEqual(got.unclear, []);
  assert.deepEqual(
    got.changes.map(({ who, route, before: was, after: will, requests }) => [who, route, was, will, requests]),
    [
      [
        'local:bob',
        'app.example.com /*',
        { outcome: 'allow', by: 'signed-in' },
        { outcome: 'deny', by: '(no rule)' },
        2,
      ],
      [
        '-',
        'app.example.com /*',
        { outcome: 'sign-in', by: 'signed-in' },
        { outcome: 'allow', by: 'ip:192.0.2.0/24' },
        1,
      ],
      ['token:ci', 'app.example.com /*', { outcome: 'allow', by: 'token:ci' }, { outcome: 'deny', by: '(no rule)' }, 1],
    ],
  );
  assert.equal(got.changes[0]?.example, 'GET app.example.com/x?a=1');
});

test('what the old document decides otherwise than the log is unclear, not guessed', () => {
  const before = table({ '/*': ['group:ops'] });
  const got = diff(before, table({ '/*': ['group:dev'] }), [
    line('local:ada', 'allow'),
    line('local:gone', 'allow'),
    line('local:gone', 'allow'),
    line('local:ada', 'deny'),
  ]);
  assert.deepEqual(got.unclear, [
    { who: 'local:gone', requests: 2 },
    { who: 'local:ada', requests: 1 },
  ]);
  assert.deepEqual(
    got.changes.map(({ who, requests }) => [who, requests]),
    [['local:ada', 1]],
  );
});

test('a route that is gone, and one that is new, are changes too', () => {
  const before = table({ '/x/*': ['public'] });
  const got = diff(before, table({ '/y/*': ['public'] }), [line('-', 'allow', { path: '/x/1' })]);
  assert.deepEqual([got.changes[0]?.after.outcome, got.changes[0]?.after.by], ['nothing', 'no-route']);
});

test('readLogLine() and the differ bear whatever a log holds', () => {
  const differ = createPolicyDiffer({ before: table({ '/*': ['public'] }), after: table({ '/*': ['signed-in'] }) }, []);
  check(
    property(string({ unit: 'binary' }), string(), string(), (who, path, host) => {
      readLogLine(who);
      const request = readLogLine(line(who, 'allow', { path: `/${path}`, host, ip: path, method: host }));
      if (typeof request === 'object') differ.add(request);
    }),
  );
  assert.ok(differ.result().requests > 0);
});

test('readLogLine() tells a damaged line from one that is about something else', () => {
  const good = line('local:bob', 'allow', {});
  assert.equal(typeof readLogLine(good), 'object');
  const damaged = [
    good.slice(0, -2),
    'x',
    'null',
    '[]',
    '"x"',
    '7',
    '{"kind":"request"}',
    '\0\0',
    '203.0.113.9 - - "GET /"',
  ];
  for (const text of damaged) assert.equal(readLogLine(text), 'damaged', text);
  assert.equal(readLogLine(line('local:bob', 'allow', { path: 5 })), 'damaged');
  for (const text of ['', '  ', '{"level":30,"msg":"Serving"}', '{}', line('local:bob', '-', {})])
    assert.equal(readLogLine(text), 'other', text);
  for (const decision of ['enter', 'pass', 'forbid']) assert.equal(readLogLine(line('ada', decision)), 'settings');
});

const tableFor = (route: Route): RoutingTable => compileTable(documentOf([hostOf('app.example.com', [route])])).table;

test('whoever is let in, and led to no app any more, or to one at last, is a change', () => {
  const to = (...groups: string[]): RoutingTable =>
    tableFor(
      routeOf('/*', ['signed-in'], {
        action: {
          kind: 'choose',
          choices: groups.map((group, at) => ({
            when: rules(`group:${group}`),
            action: proxyTo(serverOf('127.0.0.1', 9000 + at)) as ProxyAction,
            at: [],
          })),
        },
      }),
    );
  const bob = { provider: 'local', name: 'bob', groups: ['dev'] };
  const lines = [line('local:ada', 'allow'), line('local:bob', 'allow', { reason: 'no-app' })];
  const got = diff(to('ops'), to('dev'), lines, [ADA, bob]);
  assert.deepEqual(got.unclear, []);
  assert.deepEqual(
    got.changes.map(({ who, before, after }) => [who, before.outcome, after.outcome]),
    [
      ['local:ada', 'allow', 'no-app'],
      ['local:bob', 'no-app', 'allow'],
    ],
  );
});

test('what a route asks for besides was shown by whom it let in; what only the new document asks for is a change', () => {
  const asking = (require: Partial<StepUp> | null, allow: RuleText[] = ['signed-in']): RoutingTable =>
    tableFor(
      routeOf('/*', allow, { require: require && { secondFactor: false, acr: [], maxAgeMs: null, ...require } }),
    );
  const rows = [line('local:ada', 'allow'), line('local:bob', 'allow'), line('local:bob', 'sign-in')];
  const needs: Partial<StepUp>[] = [{ secondFactor: true }, { maxAgeMs: 60_000 }, { acr: ['gold', 'silver'] }];
  for (const wanted of needs) {
    const same = diff(asking(wanted), asking(wanted), rows);
    assert.deepEqual([same.changes, same.unclear], [[], []], JSON.stringify(wanted));
    const fewer = diff(asking(wanted), asking(wanted, ['group:ops']), rows);
    assert.deepEqual(
      fewer.changes.map(({ who, before, after }) => [who, before.outcome, after.outcome]),
      [
        ['local:bob', 'allow', 'deny'],
        ['local:bob', 'sign-in', 'deny'],
      ],
    );
    const more = diff(asking(null), asking(wanted), rows.slice(0, 2));
    assert.deepEqual(
      more.changes.map(({ who, after }) => [who, after.outcome]),
      [
        ['local:ada', 'sign-in'],
        ['local:bob', 'sign-in'],
      ],
    );
  }
});

test('a credential that was wrong is no matter of rules', () => {
  const row = line('-', 'challenge', { reason: 'credential-refused' });
  assert.equal(readLogLine(row), 'other');
});

test('where headers choose the route, the route of the line says which were there; what the new document asks of others is unclear', () => {
  const BETA = { 'x-env': 'beta' };
  const withHeaders = (
    routes: readonly (readonly [allow: RuleText[], headers: Route['matchHeaders']])[],
  ): RoutingTable =>
    compileTable(
      documentOf([
        hostOf(
          'app.example.com',
          routes.map(([allow, matchHeaders]) => ({ ...routeOf('/*', allow), matchHeaders })),
        ),
      ]),
    ).table;
  const lines = [
    line('local:bob', 'allow', { path: '/beta', route: 'app.example.com /*' }),
    line('local:bob', 'allow', { path: '/plain', route: 'app.example.com /* #2' }),
  ];
  const both = withHeaders([
    [['signed-in'], BETA],
    [['signed-in'], {}],
  ]);
  const closed = withHeaders([
    [['group:ops'], BETA],
    [['signed-in'], {}],
  ]);
  const got = diff(both, closed, lines);
  assert.deepEqual(
    got.changes.map(({ who, example, route, after }) => [who, example, route, after.outcome]),
    [['local:bob', 'GET app.example.com/beta', 'app.example.com /*', 'deny']],
  );
  assert.deepEqual(got.unclear, []);
  const open = withHeaders([
    [['public'], BETA],
    [['group:ops'], {}],
  ]);
  assert.deepEqual(
    diff(both, open, lines).changes.map(({ example }) => example),
    ['GET app.example.com/plain'],
  );
  // Which fields came to one route is not in the log.
  const one = withHeaders([[['signed-in'], {}]]);
  const unclear = diff(one, closed, [line('local:bob', 'allow', { route: 'app.example.com /*' })]);
  assert.deepEqual([unclear.changes, unclear.unclear], [[], [{ who: 'local:bob', requests: 1 }]]);
  const same = diff(one, both, [line('local:bob', 'allow', { route: 'app.example.com /*' })]);
  assert.deepEqual([same.changes, same.unclear], [[], []]);
});
