/**
 * Slow and vanishing clients against the whole gateway (reference classes 1.4, 1.6): slow heads, bodies and
 * readers end, half-closed ones are answered, one that is gone is told to the app; and PROXY headers in every
 * broken spelling (1.8).
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { encodeProxyV1, encodeProxyV2 } from '../../../src/wire/proxy-protocol.ts';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import { say, startScriptedApp } from '../../support/scripted-app.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { ScriptedApp } from '../../support/scripted-app.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

suite('slow, vanishing and proxied clients against the whole gateway', () => {
  let postern: PosternProcess;
  let app: ScriptedApp;

  before(async () => {
    app = await startScriptedApp();
    app.on('ok', say(OK));
    app.on('silent', () => undefined);
    app.on('body', () => undefined);
    app.on('endless', ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
      const piece = Buffer.alloc(65_536);
      const pour = (): void => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on('drain', pour);
      pour();
    });
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen:
  http: { address: "127.0.0.1:${http}", tls: off }
  https: off
  health: "127.0.0.1:${health}"
  proxy_protocol: [127.0.0.2/32]
limits: { head_timeout: 3s, body_timeout: 3s, min_body_rate: 500B, write_timeout: 4s, keep_alive: 3s, handshake_timeout: 3s }
hosts:
  app.test:
    tls: off
    paths:
      /inside/*: { to: "http://127.0.0.1:${app.port}", allow: ["ip:192.0.2.0/24"], strip_prefix: /inside }
      /balancer/*: { to: "http://127.0.0.1:${app.port}", allow: ["ip:127.0.0.2"], strip_prefix: /balancer }
      /*: { to: "http://127.0.0.1:${app.port}", allow: [public] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
  });

  async function open(): Promise<{ socket: Socket; text: () => string; closed: Promise<void> }> {
    const socket = connect({ port: postern.http, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    const closed = new Promise<void>((done) => {
      socket.once('end', () => done());
      socket.once('close', () => done());
    });
    await once(socket, 'connect');
    return { socket, text: () => text, closed };
  }

  const head = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: app.test\r\n${more}\r\n`;
  const post = (more: string): string => `POST /body HTTP/1.1\r\nHost: app.test\r\n${more}\r\n`;

  test('1.6 a head that trickles ends with 408, however steadily', async () => {
    const { socket, text, closed } = await open();
    const timer = setInterval(() => socket.write('a'), 100);
    socket.write('GET / HTTP/1.1\r\nHost: app.test\r\nX-A: ');
    await closed;
    clearInterval(timer);
    assert.match(text(), /^HTTP\/1\.1 408 [\s\S]*head-timeout/);
  });

  test('1.6 a silent connection and an idle one are closed without a word', async () => {
    const silent = await open();
    await silent.closed;
    assert.equal(silent.text(), '');
    const idle = await open();
    idle.socket.write(head('/ok'));
    await idle.closed;
    assert.match(idle.text(), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nok$/);
  });

  test('1.6 a body that stalls or trickles ends with 408, and the app never takes it for whole', async () => {
    for (const framing of ['Content-Length: 1000\r\n', 'Transfer-Encoding: chunked\r\n']) {
      const before = app.closed.length;
      const stalled = await open();
      stalled.socket.write(post(framing));
      await stalled.closed;
      assert.match(stalled.text(), /^HTTP\/1\.1 408 /);
      await until(() => app.closed.length > before, 'the app is told');
    }
    const trickling = await open();
    trickling.socket.write(post('Content-Length: 100000\r\n'));
    const timer = setInterval(() => trickling.socket.write('a'), 200);
    await trickling.closed;
    clearInterval(timer);
    assert.match(trickling.text(), /^HTTP\/1\.1 408 /);
  });

  test('1.6 a client that takes nothing of its answer is dropped, and the app let go', async () => {
    const before = app.closed.length;
    const { socket } = await open();
    socket.pause();
    socket.write(head('/endless'));
    await until(() => app.closed.length > before, 'the app is told');
    socket.destroy();
  });

  test('1.4 a client that goes away is told to the app, by reset, by close, and in the middle of a body', async () => {
    const ways: readonly (readonly [name: string, bytes: string, leave: (socket: Socket) => void])[] = [
      ['reset', head('/silent'), (socket) => void socket.resetAndDestroy()],
      ['close', head('/silent'), (socket) => void socket.destroy()],
      ['in the body', `${post('Content-Length: 100\r\n')}abc`, (socket) => void socket.destroy()],
      ['in a chunk', `${post('Transfer-Encoding: chunked\r\n')}5\r\nab`, (socket) => void socket.destroy()],
      ['in the answer', head('/endless'), (socket) => void socket.resetAndDestroy()],
    ];
    for (const [name, bytes, leave] of ways) {
      const [seen, closed] = [app.seen.length, app.closed.length];
      const { socket } = await open();
      socket.write(bytes);
      await until(() => app.seen.length > seen, `the app has the request (${name})`);
      leave(socket);
      await until(() => app.closed.length > closed, `the app is told (${name})`);
    }
    const gone = (): number =>
      postern
        .output()
        .split('\n')
        .filter((line) => /"path":"\/silent".*"status":499/.test(line)).length;
    await until(() => gone() >= 2, 'those who got no answer are 499 in the log');
  });

  test('1.4 a client that half closes behind its requests gets every answer', async () => {
    const { socket, text, closed } = await open();
    socket.end(head('/ok') + head('/ok'));
    await closed;
    assert.equal(text().split('\r\n\r\nok').length, 3, text());
  });

  test('1.4 a client that half closes behind an upgrade gets no tunnel, and none is counted', async () => {
    // By then the gateway has read the end.
    const agree = say('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    app.on('ws', (visit) => void setTimeout(() => agree(visit), 100));
    const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
    for (let i = 0; i < 5; i++) {
      const { socket, closed } = await open();
      socket.end(head('/ws', `${fields}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`));
      await closed;
    }
    await until(async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
      return /^postern_open_tunnels 0$/m.test(metrics) && /^postern_open_requests 0$/m.test(metrics);
    }, 'nothing is open any more');
  });

  /** Bytes by the listed peer. */
  async function proxied(...parts: readonly (Buffer | string)[]): Promise<string> {
    const socket = connect({ port: postern.http, host: '127.0.0.1', localAddress: '127.0.0.2' });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    for (const part of parts) {
      if (!socket.destroyed) socket.write(part);
      await new Promise((done) => setImmediate(done));
    }
    await closed;
    return text;
  }

  const inside = head('/inside/ok', 'Connection: close\r\n');
  const from = { address: '192.0.2.7', port: 4711 };
  const to = { address: '198.51.100.1', port: 443 };

  test('1.8 a PROXY header of a listed peer decides, in whatever pieces it comes', async () => {
    for (const header of [
      encodeProxyV1(from, to),
      encodeProxyV2(from, to),
      encodeProxyV2(from, to, Buffer.alloc(500)),
    ]) {
      assert.match(await proxied(header, inside), /^HTTP\/1\.1 200 /);
      assert.match(await proxied(...[...header].map((byte) => Buffer.from([byte])), inside), /^HTTP\/1\.1 200 /);
      assert.match(await proxied(Buffer.concat([header, Buffer.from(inside)])), /^HTTP\/1\.1 200 /);
    }
    assert.match(await proxied(encodeProxyV1({ ...from, address: '203.0.113.9' }, to), inside), /^HTTP\/1\.1 403 /);
  });

  test('1.8 LOCAL is the peer itself; UNKNOWN is nobody, and no address rule lets it in', async () => {
    const balancer = head('/balancer/ok', 'Connection: close\r\n');
    assert.match(await proxied(encodeProxyV2(null, null), balancer), /^HTTP\/1\.1 200 /);
    assert.match(await proxied('PROXY UNKNOWN\r\n', balancer), /^HTTP\/1\.1 403 /);
    assert.match(await proxied('PROXY UNKNOWN\r\n', head('/ok', 'Connection: close\r\n')), /^HTTP\/1\.1 200 /);
  });

  test('1.8 a broken or missing PROXY header, or one too long, closes the connection without an answer', async () => {
    const edited = (at: number, byte: number): Buffer => {
      const header = encodeProxyV2(from, to);
      header[at] = byte;
      return header;
    };
    for (const bytes of [
      '',
      'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n',
      'PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n',
      'PROXY TCP4 192.0.2.7 198.51.100.1 70000 443\r\n',
      'PROXY TCP4 192.0.2.07 198.51.100.1 1 443\r\n',
      'PROXY TCP6 192.0.2.7 198.51.100.1 1 443\r\n',
      'PROXY  TCP4 192.0.2.7 198.51.100.1 1 443\r\n',
      'proxy TCP4 192.0.2.7 198.51.100.1 1 443\r\n',
      `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`,
      edited(12, 0x11),
      edited(12, 0x2f),
      edited(13, 0x12),
      edited(13, 0x99),
      edited(14, 0xff),
      encodeProxyV1(from, to).toString('latin1').repeat(2),
    ]) {
      assert.doesNotMatch(await proxied(bytes, inside), /HTTP\/1\.1 200/, String(bytes));
    }
    const begun = app.seen.length;
    assert.equal(await proxied('PROXY TCP4 192.0.2'), '', 'half a header ends at the deadline');
    assert.equal(app.seen.length, begun);
  });

  test('1.8 a PROXY header of anybody else is refused', async () => {
    for (const header of [encodeProxyV1(from, to), encodeProxyV2(from, to)]) {
      const answer = await sendRaw(postern.http, header.toString('latin1') + inside);
      assert.deepEqual([answer.statuses, answer.closed], [[], true]);
    }
  });
});
