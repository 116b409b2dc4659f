/**
 * Sockets that systemd opens (DESIGN decision 4): Postern serves them, a reload adds its own beside, and over a
 * restart they stay with whoever opened them, so that no visitor is turned away.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { freePorts } from '../../support/free-ports.ts';
import { runPostern } from '../../support/postern.ts';
import { accepts, until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';

const PROGRAM = resolve(import.meta.dirname, '../../../bin/postern');
const HOLDER = resolve(import.meta.dirname, '../../support/socket-holder.mjs');
const ACTIVATE = '/usr/bin/systemd-socket-activate';
const GET = 'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n';

suite('sockets that somebody else opened', () => {
  let dir = '';
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'postern-activation-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  interface Started {
    readonly child: ChildProcess;
    readonly output: () => string;
    readonly reload: () => Promise<number>;
    readonly write: (listen: string) => void;
    readonly ended: Promise<number | null>;
  }

  function start(name: string, listen: string, command: readonly string[]): Started {
    const config = join(dir, `${name}.yaml`);
    const data = join(dir, name);
    const write = (text: string): void =>
      writeFileSync(
        config,
        `version: 1\nworkers: 2\nlisten: { ${text} }\nhosts:\n  app.test: { respond: hello, allow: [public], tls: off }\n`,
      );
    write(listen);
    const [first, ...rest] = [...command, PROGRAM, 'run', '--config', config, '--data', data];
    const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const ended = new Promise<number | null>((done) => child.once('exit', done));
    return {
      child,
      output: () => output,
      write,
      ended,
      reload: async () => (await runPostern(['reload', '--data', data])).code,
    };
  }

  test('one is served by one worker, a reload adds others, and a restart turns nobody away', async () => {
    const [port = 0, more = 0] = await freePorts(2);
    const plain = (at: number): string => `{ address: "127.0.0.1:${at}", tls: off }`;
    const rest = 'https: off, health: off';
    const { child, output, write, reload, ended } = start('held', `http: ${plain(port)}, ${rest}`, [
      process.execPath,
      HOLDER,
      String(port),
      '2',
    ]);
    try {
      await until(() => output().includes('is ready on'), 'it is ready');
      assert.match(output(), /1 worker/);
      assert.deepEqual((await sendRaw(port, GET)).statuses, [200]);

      write(`http: [${plain(port)}, ${plain(more)}], ${rest}`);
      assert.equal(await reload(), 0, output());
      assert.deepEqual((await sendRaw(more, GET)).statuses, [200]);
      write(`http: ${plain(port)}, ${rest}`);
      assert.equal(await reload(), 0, output());
      assert.equal(await accepts(more), false);
      assert.deepEqual((await sendRaw(port, GET)).statuses, [200]);

      const before = childOf(child.pid);
      process.kill(before, 'SIGTERM');
      const answers: string[] = [];
      while (!output().includes('run 0 ended') || output().split('is ready on').length < 3) {
        const { statuses, error } = await sendRaw(port, GET, { quietMs: 20_000, pauseMs: 0 });
        answers.push(error ?? statuses.join());
      }
      assert.deepEqual([...new Set(answers)], ['200'], 'whoever came in between has waited and was served');
      assert.match(output(), /run 0 ended with 0/);
      process.kill(childOf(child.pid), 'SIGTERM');
      assert.equal(await ended, 0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test(
    'systemd-socket-activate hands over two at the first visit',
    { skip: existsSync(ACTIVATE) ? false : 'no systemd here; the test above passes a socket by hand' },
    async () => {
      const [one = 0, two = 0] = await freePorts(2);
      const plain = (at: number): string => `{ address: "127.0.0.1:${at}", tls: off }`;
      const { child, output, ended } = start(
        'systemd',
        `http: [${plain(one)}, ${plain(two)}], https: off, health: off`,
        [ACTIVATE, ...[one, two].flatMap((port) => ['-l', `127.0.0.1:${port}`])],
      );
      try {
        await until(() => output().includes('Listening on') || output().includes('127.0.0.1'), 'systemd listens');
        const first = await sendRaw(one, GET, { quietMs: 20_000 });
        assert.deepEqual(first.statuses, [200], output());
        assert.deepEqual((await sendRaw(two, GET)).statuses, [200]);
        await until(() => output().includes('is ready on'), 'it is ready');
        // It has become Postern: one process from the listening to the end.
        child.kill('SIGTERM');
        assert.equal(await ended, 0, output());
      } finally {
        child.kill('SIGKILL');
      }
    },
  );
});

/** The only child of a process: what the holder runs. */
function childOf(pid: number | undefined): number {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const child = Number(listed.split(' ')[0]);
  assert.ok(child > 0, 'Postern runs');
  return child;
}
