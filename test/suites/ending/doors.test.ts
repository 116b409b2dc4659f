/**
 * SIGTERM with open event streams and WebSockets through `postern run`, `postern guard` and `postern forward-auth`: all three
 * end them alike. A stream that is older than half a minute ends with the program, one that is an answer comes to its end, a
 * WebSocket is told 1001 on both sides, for visitors without a name and for somebody who is signed in.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { freePorts } from '../../support/free-ports.ts';
import { accepts, until } from '../../support/programs.ts';

const POSTERN = resolve(import.meta.dirname, '../../../bin/postern');
/** Older than this a stream is no answer any more. */
const ANSWER_MS = 30_000;
const SIGNED_IN = { authorization: `Basic ${btoa('alice:secret')}` };

interface Stream {
  readonly text: () => string;
  readonly isOpen: () => boolean;
}

interface Door {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly output: () => string;
}

suite('every front door at its end', () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-doors-'));
  let app: Server;
  /** Answers that are on their way, by path. */
  const held = new Map<string, () => void>();
  const toldApps: number[] = [];

  before(async () => {
    app = createServer((req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.write('data: hello\n\n');
      held.set(req.url ?? '', () => void res.end('data: done\n\n'));
    });
    new WebSocketServer({ server: app }).on('connection', (socket) => {
      socket.on('close', (code) => toldApps.push(code));
      socket.send('hello');
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    writeFileSync(join(dir, 'passwords'), `alice:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`);
  });
  after(() => {
    app.closeAllConnections();
    app.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function open(name: string, args: (port: number, to: string) => readonly string[]): Promise<Door> {
    const [port = 0] = await freePorts(1);
    const all = args(port, `http://127.0.0.1:${(app.address() as AddressInfo).port}`);
    const env = { PATH: process.env['PATH'] ?? '', HOME: dir };
    const child = spawn(POSTERN, [...all], { env, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const from of [child.stdout, child.stderr]) from.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<number | null>((done) => child.once('close', done));
    await until(async () => {
      assert.equal(child.exitCode, null, output);
      return accepts(port);
    }, `${name} listens`);
    return { name, port, child, ended, output: () => output };
  }

  const openRun = (): Promise<Door> =>
    open('run', (port, to) => {
      const file = join(dir, 'postern.yaml');
      writeFileSync(
        file,
        `version: 1
listen: { http: { address: "127.0.0.1:${port}", tls: off }, https: off, health: off }
hosts: { localhost: { tls: off, to: "${to}", allow: [public] } }
`,
      );
      return ['run', '--config', file, '--data', join(dir, 'data')];
    });
  const openGuard = (): Promise<Door> =>
    open('guard', (port, to) => [
      'guard',
      `--listen=127.0.0.1:${port}`,
      `--to=${to}`,
      `--passwords=${join(dir, 'passwords')}`,
      '--allow=signed-in',
      '--public=/open/*',
    ]);
  const openForwardAuth = (): Promise<Door> =>
    open('forward-auth', (port, to) => [
      'forward-auth',
      '--provider=github',
      '--client-id=id',
      '--client-secret=s',
      '--cookie-secret=0123456789abcdef',
      '--email-domain=*',
      `--http-address=127.0.0.1:${port}`,
      `--upstream=${to}/`,
      `--htpasswd-file=${join(dir, 'passwords')}`,
      '--skip-auth-route=^/open/',
    ]);

  async function listen({ name, port }: Door, path: string, headers: Record<string, string> = {}): Promise<Stream> {
    let [text, isOpen] = ['', true];
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      headers: { host: `localhost:${port}`, ...headers },
    });
    sent.on('response', (response) => {
      assert.equal(response.statusCode, 200, `${name} ${path}`);
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('error', () => undefined);
      response.on('close', () => (isOpen = false));
    });
    sent.on('error', () => (isOpen = false));
    sent.end();
    await until(() => text.includes('hello'), `${name} answers ${path}`);
    return { text: () => text, isOpen: () => isOpen };
  }

  async function connect(
    { port }: Door,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ readonly closed: Promise<number> }> {
    const fields = { host: `localhost:${port}`, ...headers };
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: fields });
    const closed = new Promise<number>((done) => socket.once('close', done));
    await new Promise((done, fail) => {
      socket.once('message', done);
      socket.once('error', fail);
    });
    return { closed };
  }

  test('old streams and WebSockets end, an answer comes home, the exit code is 0', async () => {
    const doors = await Promise.all([openRun(), openGuard(), openForwardAuth()]);
    const work = async (door: Door): Promise<void> => {
      const mine = door.name;
      const old = [await listen(door, `/open/${mine}-old`), await listen(door, `/${mine}-old`, SIGNED_IN)];
      await sleep(ANSWER_MS + 1_000);
      const sockets = [await connect(door, `/open/${mine}`), await connect(door, `/${mine}`, SIGNED_IN)];
      const answer = await listen(door, `/open/${mine}-answer`);
      assert.ok(
        old.every((one) => one.isOpen()),
        'half a minute is no reason to end',
      );
      door.child.kill('SIGTERM');
      await until(() => !old.some((one) => one.isOpen()), `${mine}: the old streams end`);
      assert.deepEqual(await Promise.all(sockets.map(({ closed }) => closed)), [1001, 1001], mine);
      assert.equal(door.child.exitCode, null, `${mine}: it ends for no lack of patience`);
      assert.ok(answer.isOpen(), `${mine}: the answer goes on`);
      held.get(`/open/${mine}-answer`)?.();
      assert.equal(await door.ended, 0, door.output());
      assert.equal(answer.text(), 'data: hello\n\ndata: done\n\n', mine);
      for (const one of old) assert.equal(one.text(), 'data: hello\n\n');
    };
    try {
      await Promise.all(doors.map(work));
      await until(() => toldApps.length === 6, 'the apps are told');
      assert.deepEqual(new Set(toldApps), new Set([1001]));
    } finally {
      for (const { child } of doors) child.kill('SIGKILL');
    }
  });
});
