/**
 * Who works in an open WebSocket is not idle: their session lives on, while one in which only the app
 * speaks ends, and its WebSocket with it.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

/** Well above the seconds that a report of use takes to reach the store. */
const IDLE_MS = 12_000;
/** Passed on to tls.connect; the types of ws do not know it. */
const SERVER_NAME: object = { servername: 'app.localhost' };

suite('use of a session by an open WebSocket', () => {
  let app: Server;
  let postern: PosternProcess;

  before(async () => {
    app = createServer((_, res) => res.end('ok'));
    new WebSocketServer({ server: app }).on('connection', (socket) => {
      const timer = setInterval(() => socket.send('tick'), 200);
      socket.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    const to = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    postern = await startPostern({
      document: (ports) => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
sign_in: { url: "https://auth.localhost:${ports.https}" }
session: { idle: ${IDLE_MS / 1_000}s, lifetime: 1h }
hosts:
  app.localhost: { to: "${to}", allow: [signed-in] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
  });

  const open = async (name: string): Promise<WebSocket> => {
    const origin = `https://app.localhost:${postern.https}`;
    const visitor = await signIn(`${origin}/`, name, await addUser(postern, name));
    const headers = { cookie: visitor.cookieHeader(`${origin}/`), host: `app.localhost:${postern.https}` };
    const options = { headers, origin, rejectUnauthorized: false, ...SERVER_NAME };
    const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, options);
    await new Promise((done, fail) => {
      socket.on('open', done);
      socket.on('error', fail);
    });
    socket.on('error', () => undefined);
    return socket;
  };
  const closing = (socket: WebSocket): Promise<number> =>
    new Promise((done) => {
      socket.on('close', () => done(Date.now()));
    });

  test('typing keeps a session, the ticks of the app do not', { timeout: 300_000 }, async () => {
    const busy = await open('busy');
    const typing = setInterval(() => busy.send('x'), 250);
    let isBusyClosed = false;
    const busyEnd = closing(busy).then((at) => {
      isBusyClosed = true;
      return at;
    });
    const watching = await open('watching');
    const openedAt = Date.now();
    const endedAt = await closing(watching);
    assert.ok(endedAt - openedAt >= IDLE_MS - 3_000, `ended after ${endedAt - openedAt} ms`);
    while (Date.now() - openedAt < 2 * IDLE_MS) await new Promise((done) => setTimeout(done, 200));
    assert.equal(isBusyClosed, false, 'whoever types is not idle');
    clearInterval(typing);
    busy.terminate();
    await busyEnd;
  });
});
