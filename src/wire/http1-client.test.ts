import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { AppCall, Repeat } from './app-call.ts';
import { DISCARD } from './http1-response.ts';
import { Http1Client } from './http1-client.ts';
import { RequestLines } from './request-lines.ts';

const ignore = (): void => undefined;

function callOf(method: string, onFail: (repeat: Repeat) => void): AppCall {
  return {
    method,
    head: `${method} / HTTP/1.1\r\nHost: app\r\n`,
    lines: new RequestLines(''),
    bodyLength: 0,
    wantsUpgrade: false,
    visitor: {},
    bindsConnection: false,
    firstByteMs: 60_000,
    idleMs: 60_000,
    startBody: ignore,
    resumeBody: ignore,
    cancelBody: ignore,
    onInform: ignore,
    onDone: ignore,
    onBroken: ignore,
    passTrailers: () => null,
    onHead: () => DISCARD,
    onUpgrade: ignore,
    onFail: (_error, repeat) => onFail(repeat),
  };
}

test('Http1Client tells a request that has not left from one that the app may have seen', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', ignore);
    t.after(() => socket.destroy());
  });
  t.after(() => server.close());
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const { port } = server.address() as AddressInfo;
  for (const hasLeft of [false, true]) {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    const client = new Http1Client(socket, { now: 0, onIdle: ignore, onGone: ignore });
    const repeats: Repeat[] = [];
    client.send(callOf('POST', (repeat) => repeats.push(repeat)));
    // It leaves at the end of the turn.
    if (hasLeft) await new Promise((done) => setImmediate(done));
    socket.emit('end');
    assert.deepEqual(repeats, [hasLeft ? 'no' : 'never-seen']);
  }
});
