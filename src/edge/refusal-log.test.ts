import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Refusal } from './refusal.ts';
import { RefusalLog, type RefusalLine } from './refusal-log.ts';

const refusal = (serverName: string | null, reason: Refusal['reason'] = 'no-certificate'): Refusal => {
  return { reason, detail: 'Nobody has a certificate', peerAddress: '192.0.2.1', serverName };
};

test('RefusalLog tells the first of each reason at once and counts the others by the minute', () => {
  const lines: RefusalLine[] = [];
  const log = new RefusalLog((line) => lines.push(line));
  log.add(refusal('a.test'), 1_000);
  log.add(refusal(null, 'accept-failed'), 1_000);
  assert.deepEqual(
    lines.splice(0).map(({ code, reason, serverName }) => [code, reason, serverName]),
    [
      ['TLS_NO_CERTIFICATE', 'no-certificate', 'a.test'],
      ['BAD_REQUEST', 'accept-failed', null],
    ],
  );
  for (let n = 0; n < 500; n++) log.add(refusal(n % 3 === 0 ? null : `n${n % 40}.test`), 2_000);
  log.tick(60_999);
  assert.equal(lines.length, 0, 'not before the minute is over');
  log.tick(61_000);
  const [line, ...others] = lines.splice(0);
  assert.equal(others.length, 0);
  assert.deepEqual([line?.reason, line?.count, line?.serverNames?.length], ['no-certificate', 500, 10]);
  assert.equal(line?.peerAddress, undefined, 'they were of many');
});

test('RefusalLog goes on counting while they come, and tells the first after a quiet minute', () => {
  const lines: RefusalLine[] = [];
  const log = new RefusalLog((line) => lines.push(line));
  for (let at = 0; at < 600_000; at += 1_000) {
    log.tick(at);
    log.add(refusal('a.test'), at);
  }
  assert.equal(lines.length, 10, 'the first, then one a minute');
  const told = lines.reduce((sum, { count }) => sum + (count ?? 1), 0);
  log.flush();
  assert.equal(told + (lines.at(-1)?.count ?? 0), 600, 'none is lost');
  log.add(refusal('b.test'), 700_000);
  log.tick(760_000);
  lines.length = 0;
  log.add(refusal('c.test'), 761_000);
  assert.equal(lines[0]?.serverName, 'c.test');
});
