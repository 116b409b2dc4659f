/**
 * What a browser keeps open, in a real one over HTTP/2: an event stream arrives event by event, a WebSocket
 * shares the connection (RFC 8441), and both end when the session does, without a way back in.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { WebSocketServer } from 'ws';
import { openBrowser, openContext, signInOn } from '../../support/browser.ts';
import { skipWithout } from '../../support/peers.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';

const PAGE = `<!doctype html><title>live</title><script>
const seen = { events: [], echoes: [], stream: -1, socket: -1, protocol: '' };
const stream = new EventSource('/events');
stream.onmessage = (event) => seen.events.push(event.data);
const socket = new WebSocket('wss://' + location.host + '/ws');
socket.onopen = () => socket.send('hello');
socket.onmessage = (event) => seen.echoes.push(event.data);
setInterval(() => {
  seen.stream = stream.readyState;
  seen.socket = socket.readyState;
  seen.protocol = performance.getEntriesByType('navigation')[0].nextHopProtocol;
}, 20);
</script>`;

interface Seen {
  readonly events: readonly string[];
  readonly echoes: readonly string[];
  readonly stream: number;
  readonly socket: number;
  readonly protocol: string;
}

suite('what a browser keeps open', { skip: skipWithout('chromium') }, () => {
  let app: Server;
  let browser: Browser;
  let postern: PosternProcess;
  const streams: ServerResponse[] = [];

  before(async () => {
    app = createServer((req, res) => {
      if (req.url !== '/events') {
        res.setHeader('content-type', 'text/html').end(PAGE);
        return;
      }
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('retry: 200\n\n');
      streams.push(res);
    });
    new WebSocketServer({ server: app }).on('connection', (socket) =>
      socket.on('message', (data) => socket.send(`echo ${Buffer.isBuffer(data) ? data.toString() : '?'}`)),
    );
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  app.localhost: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [signed-in] }
`,
    });
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
  });

  test('events come one by one, a WebSocket speaks, and both end with the session', { timeout: 300_000 }, async () => {
    const password = await addUser(postern, 'alice');
    const page = await (await openContext(browser)).newPage();
    await page.goto(`https://app.localhost:${postern.https}/`);
    await signInOn(page, 'alice', password);
    await page.waitForURL(`https://app.localhost:${postern.https}/`);
    const look = (): Promise<Seen> => page.evaluate<Seen>('seen');
    await until(() => streams.length > 0, 'the page opens its event stream');
    for (const word of ['one', 'two', 'three']) {
      streams.at(-1)?.write(`data: ${word}\n\n`);
      // Not held back until more follows: each is there before the next is sent.
      await until(async () => (await look()).events.at(-1) === word, `"${word}" arrives`);
    }
    await until(async () => (await look()).echoes.length > 0, 'the WebSocket echoes');
    await until(async () => (await look()).socket === 1, 'the page has looked at them since');
    const open = await look();
    assert.deepEqual(open, {
      events: ['one', 'two', 'three'],
      echoes: ['echo hello'],
      stream: 1,
      socket: 1,
      protocol: 'h2',
    });

    const revoked = await postern.cli('sessions', 'revoke', '--user', 'alice');
    assert.equal(revoked.code, 0, revoked.stderr);
    // EventSource comes back by itself; a 401 ends that for good.
    await until(async () => {
      const { stream, socket } = await look();
      return stream === 2 && socket === 3;
    }, 'both are closed');
    const opened = streams.length;
    assert.equal(opened, 1, 'the app saw no second stream');
    await until(
      () => /"path":"\/ws","version":"2","status":200/.test(postern.output()),
      'the WebSocket went over HTTP/2',
    );
  });
});
