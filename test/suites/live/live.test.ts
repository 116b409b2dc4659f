/**
 * Open connections follow their permission: a WebSocket and an event stream drop within a second when the
 * session is revoked, the person disabled, out of the group, or the rule edited; another person's go on.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import type { RawData } from 'ws';
import { runOperation } from '../../../src/cli/operation.ts';
import { askControl } from '../../../src/control/control-socket.ts';
import { endsWithinASecond, lastEnd } from '../../support/one-second.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

/** Passed on to tls.connect; the types of ws do not know it. */
const SERVER_NAME: object = { servername: 'app.localhost' };

function textOf(message: RawData): string {
  return Buffer.isBuffer(message) ? message.toString('utf8') : '(not one buffer)';
}

interface Live {
  readonly isOpen: () => boolean;
  readonly closed: Promise<number>;
  /** Of a WebSocket's close frame. */
  readonly code?: () => number;
  readonly end: () => void;
}

suite('live connections follow their permission', () => {
  let app: Server;
  /** That the app was asked for. */
  let upgrades = 0;
  let postern: PosternProcess;
  const passwords = new Map<string, string>();
  const document = (ports: { https: number; health: number }, rule: string): string => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
workers: 3
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  app.localhost: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: ${rule} }
`;
  const RULE = '["group:staff", "user:bob"]';

  before(async () => {
    app = createServer((req, res) => {
      if (req.url !== '/events') {
        res.end('ok');
        return;
      }
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => res.write('data: tick\n\n'), 100);
      res.on('close', () => clearInterval(timer));
    });
    const sockets = new WebSocketServer({ server: app });
    app.on('upgrade', () => upgrades++);
    sockets.on('connection', (socket) => socket.on('message', (message) => socket.send(`echo ${textOf(message)}`)));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    postern = await startPostern({ document: (ports) => document(ports, RULE) });
    for (const name of ['alice', 'carol', 'dave', 'erin']) passwords.set(name, await addUser(postern, name, ['staff']));
    passwords.set('bob', await addUser(postern, 'bob'));
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
  });

  const url = (): string => `https://app.localhost:${postern.https}`;

  const cookieOf = async (name: string): Promise<string> => {
    return (await signIn(`${url()}/`, name, passwords.get(name) ?? '')).cookieHeader(`${url()}/`);
  };

  const openSocket = async (cookie: string): Promise<Live> => {
    const origin = url();
    let code = 0;
    const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, {
      headers: { cookie, host: `app.localhost:${postern.https}` },
      origin,
      rejectUnauthorized: false,
      ...SERVER_NAME,
    });
    const closed = new Promise<number>((done) => {
      socket.on('close', (one) => {
        code = one;
        done(Date.now());
      });
    });
    socket.on('error', () => undefined);
    const echo = new Promise<string>((done, fail) => {
      socket.on('open', () => socket.send('hello'));
      socket.on('message', (message) => done(textOf(message)));
      socket.on('close', () => fail(new Error('The WebSocket closed before it echoed')));
    });
    assert.equal(await echo, 'echo hello');
    return {
      isOpen: () => socket.readyState === WebSocket.OPEN,
      closed,
      code: () => code,
      end: () => socket.terminate(),
    };
  };

  const openStream = async (cookie: string): Promise<Live> => {
    let isOpen = false;
    let end = (): void => undefined;
    let markClosed: (at: number) => void = () => undefined;
    const closed = new Promise<number>((done) => (markClosed = done));
    await new Promise<void>((done, fail) => {
      const req = request(
        {
          host: '127.0.0.1',
          port: postern.https,
          path: '/events',
          servername: 'app.localhost',
          rejectUnauthorized: false,
          headers: { host: `app.localhost:${postern.https}`, cookie },
        },
        (res) => {
          res.once('data', () => {
            isOpen = true;
            done();
          });
          res.on('error', () => undefined);
          res.on('close', () => {
            isOpen = false;
            markClosed(Date.now());
          });
        },
      );
      req.on('error', fail);
      end = () => void req.destroy();
      req.end();
    });
    return { isOpen: () => isOpen, closed, end };
  };

  /** Takes the permission away; afterwards `restore` gives it back, for another play. */
  interface Change {
    readonly make: () => Promise<unknown>;
    readonly restore?: () => Promise<unknown>;
  }

  const dropsAfter = (t: TestContext, name: string, change: Change): Promise<void> =>
    endsWithinASecond(t, async () => {
      const own = await cookieOf(name);
      const bob = await cookieOf('bob');
      const lives = [await openSocket(own), await openStream(own)];
      const others = [await openSocket(bob), await openStream(bob)];
      await sleep(300);
      assert.ok([...lives, ...others].every((live) => live.isOpen()));
      await change.make();
      const acknowledgedAt = Date.now();
      const closed = lives.map((live) => live.closed);
      const endedAt = await lastEnd(closed, `what ${name} has open`);
      const codes = lives.flatMap((live) => live.code?.() ?? []);
      assert.deepEqual(codes, [1008], 'the close frame says why (RFC 6455 section 7.4.1)');
      assert.ok(
        others.every((live) => live.isOpen()),
        'the other person goes on',
      );
      for (const live of others) live.end();
      await change.restore?.();
      return { acknowledgedAt, endedAt };
    });

  const cli = async (...args: string[]): Promise<void> => {
    const done = await postern.cli(...args);
    assert.equal(done.code, 0, done.stderr + done.stdout);
  };

  // Through the control socket, as the commands do: their processes take a while to end after the acknowledgement.
  const revoke = (user: string): Promise<unknown> => runOperation(postern.dataDir, 'sessions.revoke', { user });
  const setGroups = (name: string, groups: readonly string[]): Promise<unknown> =>
    runOperation(postern.dataDir, 'user.groups', { name, groups });
  const reloadWith = async (rule: string): Promise<void> => {
    postern.writeConfig(document(postern, rule));
    const answer = (await askControl(postern.dataDir, 'reload', {})) as { readonly ok: boolean };
    assert.ok(answer.ok);
  };

  test('when the session is revoked', (t) => dropsAfter(t, 'alice', { make: () => revoke('alice') }));
  test('when the person is disabled', (t) =>
    dropsAfter(t, 'carol', {
      make: () => runOperation(postern.dataDir, 'user.disable', { name: 'carol' }),
      restore: () => runOperation(postern.dataDir, 'user.enable', { name: 'carol' }),
    }));
  test('when the person leaves the group', (t) =>
    dropsAfter(t, 'dave', {
      make: () => setGroups('dave', ['guests']),
      restore: () => setGroups('dave', ['staff']),
    }));
  test('when the rule is edited and reloaded', (t) =>
    dropsAfter(t, 'erin', { make: () => reloadWith('["user:bob"]'), restore: () => reloadWith(RULE) }));

  test('on every worker: thirty connections of one session', (t) =>
    endsWithinASecond(t, async () => {
      const own = await cookieOf('bob');
      const lives = await Promise.all(
        Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? openSocket(own) : openStream(own))),
      );
      assert.ok(lives.every((live) => live.isOpen()));
      await revoke('bob');
      const acknowledgedAt = Date.now();
      const closed = lives.map((live) => live.closed);
      return { acknowledgedAt, endedAt: await lastEnd(closed, 'one of thirty connections') };
    }));

  /** `answers`: behind the close frame it closes, as whoever speaks WebSocket does. */
  const streamDrops = (t: TestContext, answers: boolean): Promise<void> =>
    endsWithinASecond(t, async () => {
      const cookie = await cookieOf('dave');
      const session = connectHttp2(`https://127.0.0.1:${postern.https}`, {
        servername: 'app.localhost',
        rejectUnauthorized: false,
      });
      await new Promise((done) => session.once('remoteSettings', done));
      const authority = `app.localhost:${postern.https}`;
      const stream = session.request({
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':scheme': 'https',
        ':path': '/ws',
        ':authority': authority,
        'sec-websocket-version': '13',
        origin: url(),
        cookie,
      });
      const status = await new Promise((done) => stream.once('response', (headers) => done(headers[':status'])));
      assert.equal(status, 200);
      const closed = new Promise<number>((done) => stream.on('close', () => done(Date.now())));
      stream.on('error', () => undefined);
      // The close frame is the first that comes.
      stream.on('data', () => void (answers && stream.end()));
      await sleep(300);
      await revoke('dave');
      const acknowledgedAt = Date.now();
      const endedAt = await lastEnd([closed], 'the stream of a WebSocket over HTTP/2');
      session.destroy();
      return { acknowledgedAt, endedAt };
    });

  test('over HTTP/2 too (RFC 8441)', (t) => streamDrops(t, true));
  test('where the client does not answer the close frame', (t) => streamDrops(t, false));

  test('a WebSocket from another origin never opens', async () => {
    const cookie = await cookieOf('bob');
    const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, {
      headers: { cookie, host: `app.localhost:${postern.https}` },
      origin: 'https://evil.localhost',
      rejectUnauthorized: false,
      ...SERVER_NAME,
    });
    const status = await new Promise((done) => {
      socket.on('unexpected-response', (_req, res) => done(res.statusCode));
      socket.on('open', () => done(101));
      socket.on('error', () => undefined);
    });
    assert.equal(status, 403);
  });

  test('a WebSocket without a session, or with one that is none, is answered 401 and never reaches the app', async () => {
    const before = upgrades;
    for (const cookie of ['', 'theme=dark', `${(await cookieOf('bob')).slice(0, -1)}!`, 'x'.repeat(2_000)]) {
      const status = await new Promise((done, fail) => {
        const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, {
          headers: { ...(cookie === '' ? {} : { cookie }), host: `app.localhost:${postern.https}` },
          origin: url(),
          rejectUnauthorized: false,
          ...SERVER_NAME,
        });
        socket.on('unexpected-response', (_req, res) => done(res.statusCode));
        socket.on('open', () => done(101));
        socket.on('error', fail);
      });
      assert.equal(status, 401, cookie);
    }
    assert.equal(upgrades, before, 'the app heard of none');
  });

  test('a revoked cookie gets 401 at once, and the person signs in anew', async () => {
    const visitor = await signIn(`${url()}/`, 'bob', passwords.get('bob') ?? '');
    assert.equal((await visitor.send(`${url()}/`)).status, 200);
    await cli('sessions', 'revoke', '--user', 'bob');
    assert.equal((await visitor.send(`${url()}/`)).status, 401);
    assert.match((await visitor.open(`${url()}/`)).url, /auth\.localhost/);
  });
});
