/**
 * The whole gateway against h2spec, the conformance tests of HTTP/2 and HPACK: every case passes, the strict
 * ones too. The app answers once it has the whole request: behind an early answer the stream is closed, and
 * many cases could not be told from frames that crossed it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import { findPeer, skipWithout } from '../../support/peers.ts';
import { startPostern } from '../../support/postern.ts';
import { startRecordingApp } from '../../support/recording-app.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { RecordingApp } from '../../support/recording-app.ts';

/** h2spec 2.2.1 has 146 cases; fewer would mean that it stopped early. */
const LEAST_CASES = 140;

interface Verdict {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: number;
  readonly output: string;
}

async function runH2spec(...args: readonly string[]): Promise<Verdict> {
  // Of each case; by itself it waits for two seconds, which a busy machine may take.
  const patience = ['--timeout', '20'];
  const child = spawn(findPeer('h2spec') as string, ['--strict', '--host', 'localhost', ...patience, ...args]);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  const counts = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(output);
  const [passed, skipped, failed] = [2, 3, 4].map((at) => Number(counts?.[at] ?? Number.NaN)) as [
    number,
    number,
    number,
  ];
  return { passed, skipped, failed, output };
}

suite('h2spec', { skip: skipWithout('h2spec') }, () => {
  let postern: PosternProcess;
  let app: RecordingApp;

  before(async () => {
    app = await startRecordingApp(`HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n${'x'.repeat(200)}`);
    postern = await startPostern({
      document: ({ https, http, health }) => `version: 1
listen: { http: "127.0.0.1:${http}", https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
hosts:
  localhost: { to: "http://127.0.0.1:${app.port}", allow: [public] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
  });

  test('every case passes', { timeout: 300_000 }, async () => {
    const { passed, skipped, failed, output } = await runH2spec('--tls', '--insecure', '--port', String(postern.https));
    assert.ok(passed >= LEAST_CASES, output);
    assert.deepEqual([skipped, failed], [0, 0], output);
  });
});
