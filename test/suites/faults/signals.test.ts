/**
 * Signals in odd numbers and at odd moments: a storm of SIGHUP costs no visitor a request, one during the end
 * changes nothing, one during the start is kept until then, and a second SIGTERM does not cut the end short.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import type { PosternProcess } from '../../support/postern.ts';

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n`;

suite('signals in odd numbers and at odd moments', () => {
  let app: Server;
  let slowAsked = 0;

  before(async () => {
    app = createServer((req, res) => {
      if (req.url === '/slow') slowAsked++;
      setTimeout(() => res.end('ok'), req.url === '/slow' ? 1_500 : 0);
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
  });
  after(() => {
    app.closeAllConnections();
    app.close();
  });

  const document = (http: number, health: number): string => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts: { app.test: { tls: off, to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [public] } }
`;
  const start = (): Promise<PosternProcess> => startPostern({ document: ({ http, health }) => document(http, health) });

  test('a storm of SIGHUP fails no request, and a SIGHUP during the end is no error', async () => {
    const postern = await start();
    try {
      const statuses: (number | undefined)[] = [];
      const storm = new AbortController();
      const visitors = Array.from({ length: 4 }, async () => {
        while (!storm.signal.aborted)
          statuses.push((await sendRaw(postern.http, GET('/'), { pauseMs: 0, quietMs: 5_000 })).statuses[0]);
      });
      for (let i = 0; i < 300 || statuses.length <= 50; i++) {
        postern.child.kill('SIGHUP');
        await sleep(3);
      }
      storm.abort();
      await Promise.all(visitors);
      assert.deepEqual(new Set(statuses), new Set([200]));
      const slow = sendRaw(postern.http, GET('/slow'), { quietMs: 5_000 });
      await until(() => slowAsked === 1, 'the app is asked');
      for (const signal of ['SIGTERM', 'SIGHUP', 'SIGTERM', 'SIGHUP', 'SIGTERM'] as const) {
        postern.child.kill(signal);
        await sleep(20);
      }
      assert.deepEqual((await slow).statuses, [200], 'what ran is answered, however often it is told to end');
    } finally {
      assert.equal(await postern.close(), 0);
    }
    assert.doesNotMatch(postern.output(), /"level":"error"/);
  });

  /** False where it was ready before this process came to it. */
  async function hearsDuringStart(): Promise<boolean> {
    const dir = mkdtempSync(join(tmpdir(), 'postern-early-'));
    const [http = 0, health = 0] = await freePorts(2);
    const file = join(dir, 'postern.yaml');
    writeFileSync(file, document(http, health));
    const program = resolve(import.meta.dirname, '../../../bin/postern');
    const child = spawn(program, ['run', '--config', file, '--data', join(dir, 'data')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    try {
      // It has begun, and opens its store; the document is read again once it is ready.
      while (!existsSync(join(dir, 'data')) && child.exitCode === null) await sleep(1);
      if (output.includes('ready')) return false;
      child.kill('SIGHUP');
      await until(() => /Postern is ready/.test(output), 'it is ready');
      await until(() => /Document reloaded/.test(output), 'the early SIGHUP counts');
      assert.deepEqual((await sendRaw(http, GET('/'))).statuses, [200]);
      return true;
    } finally {
      child.kill('SIGTERM');
      assert.equal(await ended, 0, output);
      rmSync(dir, { recursive: true, force: true });
    }
  }

  test('a SIGHUP during the start is kept until it is ready', async () => {
    for (let tries = 1; !(await hearsDuringStart()); tries++) assert.ok(tries < 5, 'it has a start');
  });
});
