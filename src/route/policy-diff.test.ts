import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { compileTable } from './compile.ts';
import { documentOf, hostOf, routeOf } from './document-fixture.ts';
import { createPolicyDiffer, readLogLine } from './policy-diff.ts';
import type { KnownPerson, PolicyDiff } from './policy-diff.ts';
import type { RuleText } from '../config/document/rules.ts';
import type { RoutingTable } from './table.ts';

const table = (rules: Readonly<Record<string, RuleText[]>>): RoutingTable =>
  compileTable(
    documentOf([
      hostOf(
        'app.example.com',
        Object.entries(rules).map(([path, allow]) => routeOf(path, allow)),
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
});
