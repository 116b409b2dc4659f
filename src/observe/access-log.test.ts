import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { accessLine, accessLineForPeople, createAccessLog, whoOf, type AccessEntry } from './access-log.ts';

const ENTRY: AccessEntry = {
  time: Date.UTC(2026, 10, 22, 23, 5, 7, 9),
  requestId: 'abc-1',
  ip: '192.0.2.1',
  method: 'GET',
  host: 'app.example.com',
  path: '/x',
  query: '?a=1',
  version: '1.1',
  status: 200,
  bytesIn: 0,
  bytesOut: 1234,
  durationMs: 12.345678,
  who: 'local:alice',
  route: 'app.example.com /*',
  rule: 'signed-in',
  reason: null,
  shadow: null,
  decision: 'allow',
  upstream: 'http://127.0.0.1:3000',
  connectMs: 0.5,
  firstByteMs: 10,
  retries: 0,
  errorCode: null,
  tls: 'TLSv1.3',
  complete: true,
};

function parsed(change: Partial<AccessEntry>): Record<string, unknown> {
  const line = accessLine({ ...ENTRY, ...change });
  assert.match(line, /^[ -~]+\n$/);
  return JSON.parse(line) as Record<string, unknown>;
}

test('accessLine() writes what is known and leaves the rest out', () => {
  assert.deepEqual(parsed({}), {
    time: '2026-11-22T23:05:07.009Z',
    kind: 'request',
    requestId: 'abc-1',
    ip: '192.0.2.1',
    method: 'GET',
    host: 'app.example.com',
    path: '/x?a=1',
    version: '1.1',
    status: 200,
    bytesIn: 0,
    bytesOut: 1234,
    durationMs: 12.346,
    who: 'local:alice',
    route: 'app.example.com /*',
    decision: 'allow',
    rule: 'signed-in',
    upstream: 'http://127.0.0.1:3000',
    connectMs: 0.5,
    firstByteMs: 10,
    tls: 'TLSv1.3',
  });
  const bare = parsed({
    ip: null,
    route: null,
    rule: null,
    decision: null,
    upstream: null,
    connectMs: null,
    firstByteMs: null,
    tls: null,
    retries: 2,
    errorCode: 'UPSTREAM_TIMEOUT',
    complete: false,
  });
  for (const name of ['ip', 'route', 'rule', 'decision', 'upstream', 'connectMs', 'firstByteMs', 'tls'])
    assert.ok(!(name in bare), name);
  assert.deepEqual([bare['retries'], bare['code'], bare['complete']], [2, 'UPSTREAM_TIMEOUT', false]);
});

test('secrets of queries are masked; queries of own pages are not written at all', () => {
  assert.equal(parsed({ query: '?token=abc&b=2' })['path'], '/x?token=***&b=2');
  assert.equal(parsed({ path: '/.postern/land', query: '?t=abc' })['path'], '/.postern/land');
  assert.equal(parsed({ path: '/.postern', query: '?x' })['path'], '/.postern');
  assert.equal(parsed({ path: '/.posternish', query: '?x=1' })['path'], '/.posternish?x=1');
});

test('no request can break out of its line, in either form', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const hostile = fc.record({
    path: text,
    query: text,
    host: text,
    method: text,
    who: text,
    route: text,
    rule: text,
    upstream: text,
    requestId: text,
  });
  fc.assert(
    fc.property(hostile, (change) => {
      const entry = { ...ENTRY, ...change };
      assert.match(accessLine(entry), /^[ -~]+\n$/);
      assert.equal((JSON.parse(accessLine(entry)) as { host: string }).host, change.host);
      assert.doesNotMatch(accessLineForPeople(entry, false).slice(0, -1), /[\u0000-\u001F\u007F-\u009F\u2028\u202E]/);
      assert.doesNotMatch(
        accessLineForPeople(entry, true)
          .slice(0, -1)
          .replaceAll(/\u001B\[(?:90|3[1-6]|0)m/g, ''),
        /[\u0000-\u001F\u007F-\u009F]/,
      );
    }),
  );
  const painted = accessLineForPeople({ ...ENTRY, path: '/\u001B[31mred\u001B[0m' }, true);
  assert.match(painted, /\/\\u001b\[31mred/);
});

test('a line is bounded, however long the request', () => {
  const long = 'x'.repeat(100_000);
  assert.ok(
    accessLine({
      ...ENTRY,
      path: `/${long}`,
      query: `?${long}`,
      who: long,
      route: long,
      rule: long,
      host: long,
      method: long,
      upstream: long,
    }).length < 6000,
  );
});

test('a line of the sign-in host says where whoever is refused wanted to go, without secrets and control characters', () => {
  const own = { host: 'auth.example.com', path: '/.postern/sign-in', query: '?ticket=t', upstream: null };
  const refused = { ...own, status: 403, decision: 'deny', rule: '(no rule)', reason: 'no-rule' };
  const wanted = { host: 'ops.example.com', path: '/a\u001B[2J', query: '?b=1&token=s3cret' };
  const line = parsed({ ...refused, wanted });
  assert.deepEqual([line['path'], line['wantedHost']], ['/.postern/sign-in', 'ops.example.com']);
  assert.equal(line['wantedPath'], '/a\u001B[2J?b=1&token=***');
  assert.equal(parsed(refused)['wantedHost'], undefined);
  const text = accessLineForPeople({ ...ENTRY, ...refused, wanted }, false);
  assert.match(
    text,
    / 403 GET {2}auth\.example\.com\/\.postern\/sign-in .* \[deny: \(no rule\)\] for ops\.example\.com\/a/,
  );
  assert.doesNotMatch(text, /s3cret|\u001B/);
});

test('accessLineForPeople() is one short line', () => {
  const line = accessLineForPeople(ENTRY, false);
  assert.match(
    line,
    /^\d\d:\d\d:\d\d 200 GET  app\.example\.com\/x\?a=1 1\.2 kB 12 ms local:alice \[allow: signed-in\] -> http:\/\/127\.0\.0\.1:3000\n$/,
  );
  assert.match(
    accessLineForPeople({ ...ENTRY, status: 502, errorCode: 'UPSTREAM_UNREACHABLE' }, false),
    / UPSTREAM_UNREACHABLE abc-1\n$/,
  );
});

test('createAccessLog() writes in batches and all of it by close()', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-access-'));
  const fd = openSync(join(folder, 'log'), 'a');
  const log = createAccessLog({ format: 'json', destination: fd, flushMs: 60_000 });
  for (let n = 0; n < 500; n += 1) log.record({ ...ENTRY, requestId: `r${n}` });
  await log.close();
  const lines = readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { requestId: string }).requestId),
    Array.from({ length: 500 }, (_, n) => `r${n}`),
  );
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

test('whoOf() names a person by provider and name, a machine by its name', () => {
  const person = {
    provider: 'local',
    subject: 's',
    name: 'alice',
    displayName: 'A',
    email: null,
    emailVerified: false,
    groups: [],
    roles: [],
    amr: [],
  };
  assert.equal(whoOf({ kind: 'person', person }), 'local:alice');
  assert.equal(whoOf({ kind: 'service', name: 'promtail' }), 'service:promtail');
  assert.equal(whoOf({ kind: 'anonymous' }), '-');
});
