/**
 * What a reload does to listening sockets and workers: new addresses open, gone ones drain, one that cannot
 * be had changes nothing; workers are added; what needs a restart is said. Limits hold over all workers.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import { accepts, until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import { startScriptedApp } from '../../support/scripted-app.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { ScriptedApp } from '../../support/scripted-app.ts';

const GET = 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n';
const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

/** An answer with its body, whatever pieces they come in; or what is none, as behind an upgrade. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (!text.startsWith('HTTP/')) return text !== '';
  return end !== -1 && text.length >= end + 4 + Number(/^Content-Length: (\d+)/im.exec(text)?.[1] ?? 0);
}

/** A connection that stays, and what comes back. */
async function open(
  port: number,
): Promise<{ socket: Socket; ask: (bytes: string) => Promise<string>; closed: () => boolean }> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let isClosed = false;
  socket.on('close', () => (isClosed = true));
  await once(socket, 'connect');
  return {
    socket,
    closed: () => isClosed,
    async ask(bytes) {
      let text = '';
      const listen = (chunk: Buffer): void => void (text += chunk.toString('latin1'));
      socket.on('data', listen);
      socket.write(bytes);
      await until(() => isWhole(text) || isClosed, `an answer to ${bytes.split('\r', 1)[0]}`);
      socket.off('data', listen);
      return text;
    },
  };
}

suite('listening sockets and workers over a reload', () => {
  let postern: PosternProcess;
  let app: ScriptedApp;
  let more = 0;
  let health = 0;

  const document = (listen: string, rest = 'workers: 2'): string => `version: 1
${rest}
listen: { ${listen} }
log: { level: warn }
hosts:
  app.test: { to: "http://127.0.0.1:${app.port}", allow: [public], tls: off }
  secure.test: { to: "http://127.0.0.1:${app.port}", allow: [public] }
`;
  const plain = (port: number): string => `{ address: "127.0.0.1:${port}", tls: off }`;
  const usual = (): string =>
    `http: ${plain(postern.http)}, https: "127.0.0.1:${postern.https}", health: "127.0.0.1:${postern.health}"`;

  before(async () => {
    app = await startScriptedApp();
    app.on('', ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    app.on('ws', ({ socket }) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
    });
    [more = 0, health = 0] = await freePorts(2);
    postern = await startPostern({
      document: (ports) =>
        document(`http: ${plain(ports.http)}, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}"`),
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
  });

  async function reload(text: string): Promise<{ code: number; said: string }> {
    postern.writeConfig(text);
    const { code, stdout, stderr } = await postern.cli('reload');
    return { code, said: stdout + stderr };
  }

  test('a new address is served after the reload; one that is gone takes nobody, and ends what it has in order', async () => {
    const both = usual()
      .replace('http: ', 'http: [')
      .replace(', https', `, ${plain(more)}], https`);
    assert.deepEqual(await reload(document(both)).then(({ code }) => code), 0);
    const [kept, busy, tunnel] = [await open(more), await open(more), await open(more)];
    assert.match(await kept.ask(GET), /200 OK/);
    assert.match(await tunnel.ask(UPGRADE), /101/);
    const first = await open(postern.http);
    assert.match(await first.ask(GET), /200 OK/);
    let finish = (): void => undefined;
    app.on('', ({ socket }) => {
      finish = () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const running = busy.ask(GET);
    await until(() => app.seen.length >= 4, 'the app has the request');

    assert.equal((await reload(document(usual()))).code, 0);
    assert.equal(await accepts(more), false);
    for (const listen of [both, usual()]) assert.equal((await reload(document(listen))).code, 0, 'free again at once');
    await until(() => kept.closed(), 'an idle connection of the old address is closed');
    finish();
    assert.match(await running, /200 OK[\s\S]*Connection: close/);
    app.on('', ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    assert.equal(await tunnel.ask('ping'), 'ping', 'a tunnel lives as long as both ends want');
    assert.match(await first.ask(GET), /200 OK/, 'the address that stays is not touched');
    for (const { socket } of [kept, busy, tunnel, first]) socket.destroy();
  });

  test('an address in use refuses the reload, and the running document goes on with all of its addresses', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const both = usual()
      .replace('http: ', `http: [${plain(more)}, `)
      .replace(', https', `, ${plain(port)}], https`);
    const { code, said } = await reload(document(both).replace('app.test', 'other.test'));
    taken.close();
    assert.notEqual(code, 0);
    assert.match(said, /Cannot listen on .*another program has it/);
    assert.equal(await accepts(more), false, 'none of the new addresses is open');
    assert.deepEqual((await sendRaw(postern.http, GET)).statuses, [200]);
  });

  test('an address keeps its socket while what it is for changes', async () => {
    const connection = await open(postern.http);
    assert.match(await connection.ask(GET.replace('app.test', 'secure.test')), /200 OK/);
    const redirecting = usual().replace(plain(postern.http), `"127.0.0.1:${postern.http}"`);
    assert.equal((await reload(document(redirecting))).code, 0);
    assert.match(await connection.ask(GET.replace('app.test', 'secure.test')), /308/);
    assert.equal((await reload(document(usual()))).code, 0);
    assert.match(await connection.ask(GET.replace('app.test', 'secure.test')), /200 OK/);
    connection.socket.destroy();
  });

  test('the health listener moves', async () => {
    const moved = usual().replace(`health: "127.0.0.1:${postern.health}"`, `health: "127.0.0.1:${health}"`);
    assert.equal((await reload(document(moved))).code, 0);
    assert.equal((await fetch(`http://127.0.0.1:${health}/readyz`)).status, 200);
    assert.equal(await accepts(postern.health), false);
    assert.equal((await reload(document(usual()))).code, 0);
    assert.equal((await fetch(`http://127.0.0.1:${postern.health}/readyz`)).status, 200);
  });

  test('more workers begin at once; fewer need a restart, and the answer says why', async () => {
    const grown = await reload(document(usual(), 'workers: 3'));
    assert.equal(grown.code, 0);
    assert.doesNotMatch(grown.said, /Restart/);
    const metrics = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
    assert.match(metrics, /^postern_workers\S* 3$/m);
    const fewer = await reload(document(usual(), 'workers: 1'));
    assert.equal(fewer.code, 0);
    assert.match(fewer.said, /Restart Postern for "workers" 1: 3 go on/);
    assert.deepEqual((await sendRaw(postern.http, GET)).statuses, [200]);
  });

  test('1.6 connections of one address are counted over all workers, neither too many nor too few', async () => {
    const limited = document(usual(), 'workers: 3\nlimits: { connections_per_address: 12 }');
    assert.equal((await reload(limited)).code, 0);
    for (let round = 0; round < 5; round++) {
      const sockets = await Promise.all(Array.from({ length: 20 }, () => open(postern.http)));
      await until(() => sockets.filter((one) => one.closed()).length === 8, 'those beyond the limit are closed');
      for (const { socket } of sockets) socket.destroy();
      await until(async () => (await openConnections()) === 0, 'all are given back');
    }
    const metrics = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
    assert.match(metrics, /postern_connections_refused_total\{reason="limit"\} \d+/);
  });

  async function openConnections(): Promise<number> {
    const metrics = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
    return Number(/^postern_open_connections\S* (\d+)$/m.exec(metrics)?.[1]);
  }
});
