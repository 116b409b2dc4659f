import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderBlock } from '../wire/header-block.ts';
import { createCircleLog, type CircleLine } from './circle-log.ts';
import type { RequestContext } from './request-context.ts';

interface Case {
  readonly proto?: string;
  readonly trusted?: boolean;
  readonly hostTls?: 'off' | 'automatic';
  readonly redirectsToHttps?: boolean;
  readonly peer?: string | null;
}

function contextOf({
  proto,
  trusted = false,
  hostTls = 'automatic',
  redirectsToHttps = false,
  peer,
}: Case): RequestContext {
  const headers = new HeaderBlock();
  if (proto !== undefined) headers.append('X-Forwarded-Proto', proto);
  return {
    host: { config: { tls: { kind: hostTls } } },
    listener: { redirectsToHttps },
    fromTrustedProxy: trusted,
    exchange: {
      request: { host: 'app.example.com', headers },
      connection: { peerAddress: peer === undefined ? '::ffff:10.0.0.5' : peer },
    },
  } as unknown as RequestContext;
}

function linesOf(cases: readonly Case[], now = (): number => 0): CircleLine[] {
  const lines: CircleLine[] = [];
  const log = createCircleLog((line) => lines.push(line), now);
  for (const one of cases) log.add(contextOf(one));
  return lines;
}

test('createCircleLog() names what a front has to send, or that its word does not count', () => {
  const silent = linesOf([{ trusted: true }]);
  assert.deepEqual([silent.length, silent[0]?.host, silent[0]?.peer], [1, 'app.example.com', '10.0.0.5']);
  assert.match(silent[0]?.remedy ?? '', /send X-Forwarded-Proto/);
  assert.match(linesOf([{ proto: 'https' }])[0]?.remedy ?? '', /^If 10\.0\.0\.5 .* list it in trusted_proxies$/);
  assert.equal(linesOf([{ trusted: true, proto: 'wss' }]).length, 1);
  assert.equal(linesOf([{ trusted: true, hostTls: 'off', redirectsToHttps: true }]).length, 1);
});

test('createCircleLog() says nothing of visitors who can come by HTTPS', () => {
  assert.deepEqual(
    linesOf([
      { trusted: true, proto: 'http' },
      { redirectsToHttps: true },
      { redirectsToHttps: true, trusted: true },
      {},
      { proto: 'https', peer: null },
    ]),
    [],
  );
});

test('createCircleLog() writes one line a minute', () => {
  let now = 0;
  const lines: CircleLine[] = [];
  const log = createCircleLog(
    (line) => lines.push(line),
    () => now,
  );
  for (now of [0, 1, 59_999, 60_000, 60_001]) log.add(contextOf({ trusted: true }));
  assert.equal(lines.length, 2);
});
