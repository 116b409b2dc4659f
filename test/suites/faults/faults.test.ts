/**
 * Apps that misbehave. The visitor gets a 502, 503 or 504 with a request id, the log has the same id with
 * the code.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import type { PosternProcess } from '../../support/postern.ts';

type Behaviour = (socket: Socket) => void;

async function startApp(behave: Behaviour): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => behave(socket));
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

const say =
  (text: string): Behaviour =>
  (socket) =>
    void socket.end(text, 'latin1');

/** host, what the app does, status, code in the log. */
const CASES: readonly (readonly [name: string, behave: Behaviour, status: number, code: string])[] = [
  ['garbage', say('rubbish\r\n\r\n'), 502, 'UPSTREAM_BAD_RESPONSE'],
  [
    'two-lengths',
    say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'),
    502,
    'UPSTREAM_BAD_RESPONSE',
  ],
  [
    'both-framings',
    say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    502,
    'UPSTREAM_BAD_RESPONSE',
  ],
  ['bad-status', say('HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'), 502, 'UPSTREAM_BAD_RESPONSE'],
  [
    'unasked-101',
    say('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    502,
    'UPSTREAM_BAD_RESPONSE',
  ],
  ['half-head', say('HTTP/1.1 200 OK\r\nContent-'), 502, 'UPSTREAM_BAD_RESPONSE'],
  ['header-with-lf', say('HTTP/1.1 200 OK\nContent-Length: 2\n\nok'), 502, 'UPSTREAM_BAD_RESPONSE'],
  ['hangs-up', (socket) => void socket.destroy(), 502, 'UPSTREAM_UNREACHABLE'],
  ['silent', () => undefined, 504, 'UPSTREAM_TIMEOUT'],
];

suite('apps that misbehave', () => {
  let postern: PosternProcess;
  const apps: { port: number; close: () => void }[] = [];

  before(async () => {
    for (const [, behave] of CASES) apps.push(await startApp(behave));
    const truncated = await startApp(say('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this'));
    const chunked = await startApp(say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'));
    const extra = await startApp(
      say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray'),
    );
    apps.push(truncated, chunked, extra);
    const [nobody = 0] = await freePorts(1);
    const host = (name: string, port: number): string =>
      `  ${name}.test: { tls: off, to: "http://127.0.0.1:${port}", allow: [public], first_byte_timeout: ${name === 'silent' ? 3 : 30}s, connect_timeout: 30s }\n`;
    const hosts = CASES.map(([name], i) => host(name, apps[i]?.port ?? 0)).join('');
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
${hosts}${host('refused', nobody)}${host('truncated', truncated.port)}${host('truncated-chunks', chunked.port)}${host('extra', extra.port)}`,
    });
  });
  after(async () => {
    await postern?.close();
    for (const app of apps) app.close();
  });

  const ask = (host: string): Promise<{ text: string; statuses: readonly number[]; closed: boolean }> => {
    return sendRaw(postern.http, `GET / HTTP/1.1\r\nHost: ${host}.test\r\nAccept: application/json\r\n\r\n`, {
      quietMs: 3_000,
    });
  };

  for (const [name, , status, code] of [...CASES, ['refused', say(''), 502, 'UPSTREAM_UNREACHABLE'] as const]) {
    test(`${name}: ${status}, and the log has the id of the page with ${code}`, async () => {
      const answer = await ask(name);
      assert.deepEqual(answer.statuses, [status], answer.text);
      const { request_id: id } = JSON.parse(answer.text.slice(answer.text.indexOf('\r\n\r\n'))) as {
        request_id: string;
      };
      assert.doesNotMatch(answer.text, /127\.0\.0\.1/);
      const line = (): string | undefined => {
        return postern
          .output()
          .split('\n')
          .find((one) => one.includes(id) && one.includes('"kind":"request"'));
      };
      await until(() => line() !== undefined, 'the line is logged');
      assert.match(line() ?? '', new RegExp(`"code":"${code}"`));
    });
  }

  test('a truncated answer is seen to be truncated', async () => {
    const counted = await ask('truncated');
    assert.ok(counted.closed);
    assert.match(counted.text, /Content-Length: 100/i);
    const chunked = await ask('truncated-chunks');
    assert.ok(chunked.closed);
    assert.doesNotMatch(chunked.text, /\r\n0\r\n\r\n$/);
  });

  test('bytes behind an answer reach nobody', async () => {
    const answer = await ask('extra');
    assert.deepEqual(answer.statuses, [200]);
    assert.doesNotMatch(answer.text, /stray/);
    assert.deepEqual((await ask('extra')).statuses, [200]);
  });
});
