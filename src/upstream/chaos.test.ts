import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Socket } from 'node:net';
import { createUpstreams } from './forward.ts';
import { actionTo, FakeBody, FakeExchange, planFor, rawApp, serverAt } from './test-rig.ts';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.toReversed()) await close();
});

/** A small generator with a seed, so that a failure can be seen again. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % sides;
  };
}

const roll = dice(20_261_122);

/** Answers carry the number of their request, so that a mix-up shows. */
function misbehave(socket: Socket, head: string): void {
  const id =
    /GET \/(\d+)|(?:PUT|POST) \/(\d+)/
      .exec(head)
      ?.slice(1)
      .find((one) => one !== undefined) ?? 'none';
  const good = `HTTP/1.1 200 OK\r\nContent-Length: ${id.length}\r\n\r\n${id}`;
  const chunked = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${id.length}\r\n${id}\r\n0\r\n\r\n`;
  switch (roll(10)) {
    case 0:
      return void socket.destroy();
    case 1:
      return void socket.end(good);
    case 2:
      return void socket.write(`${good}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong`);
    case 3:
      return void socket.end(good.slice(0, roll(good.length)));
    case 4:
      socket.write(chunked.slice(0, 30));
      return void setTimeout(() => socket.write(chunked.slice(30)), roll(5));
    case 5:
      socket.write(good);
      return void setImmediate(() => socket.destroy());
    case 6:
      socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      return void socket.write(chunked);
    default:
      socket.write(roll(2) === 0 ? good : chunked);
  }
}

test('every exchange ends, once, and with its own answer or none, whatever app and client do', async () => {
  const apps = [await rawApp(misbehave), await rawApp(misbehave)];
  for (const app of apps) closers.push(app.close);
  const upstreams = createUpstreams({ clock: { now: () => Date.now() }, log: { warn: () => {}, info: () => {} } });
  closers.push(() => upstreams.close());
  const action = actionTo(
    apps.map((app) => serverAt(app.port)),
    { maxConnections: 4, failMs: 10 },
  );
  let mixedUp = 0;
  let answered = 0;
  const one = async (id: number): Promise<void> => {
    const isPut = roll(4) === 0;
    const method = isPut ? 'PUT' : 'GET';
    const exchange = new FakeExchange({ method }, isPut ? new FakeBody(3, Buffer.from('abc')) : new FakeBody(0));
    let ends = 0;
    exchange.onClose = () => ends++;
    upstreams.forward(exchange, planFor(action, { path: `/${id}` }), exchange.report);
    if (roll(8) === 0) setTimeout(() => exchange.leave(), roll(4));
    await exchange.done;
    if (exchange.failure === null) assert.equal(ends, 1);
    if (exchange.failure !== null || exchange.error !== null) return;
    answered++;
    if (exchange.text !== String(id)) mixedUp++;
  };
  const worker = async (from: number): Promise<void> => {
    for (let i = 0; i < 60; i++) await one(from + i);
  };
  await Promise.all(Array.from({ length: 12 }, (_, i) => worker(i * 1_000)));
  assert.equal(mixedUp, 0);
  assert.ok(answered > 300, `${answered} of 720 were answered`);
  for (const { inFlight } of upstreams.stats()) assert.equal(inFlight, 0);
});
