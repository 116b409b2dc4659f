import assert from 'node:assert/strict';
import { createServer } from 'node:http2';
import { test } from 'node:test';
import { createUpstreams } from './forward.ts';
import { actionTo, FakeBody, FakeExchange, listen, planFor, serverAt } from './test-rig.ts';
import { createTicker } from '../wire/ticker.ts';

test('an h2c app that has said that it is at work (102) is not sent the same again', async (t) => {
  let count = 0;
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    if (++count === 1) {
      stream.respond({ ':status': 200 }, { endStream: true });
      return;
    }
    stream.additionalHeaders({ ':status': 102 });
    setImmediate(() => stream.session?.destroy());
  });
  const log = { warn: () => {}, info: () => {} };
  const upstreams = createUpstreams({ clock: { now: () => Date.now() }, log, ticker: createTicker() });
  t.after(async () => {
    await upstreams.close();
    server.close();
  });
  const action = actionTo([serverAt(await listen(server), { scheme: 'h2c' })]);
  const forward = (exchange: FakeExchange): Promise<FakeExchange> => {
    upstreams.forward(exchange, planFor(action), exchange.report);
    return exchange.done;
  };
  await forward(new FakeExchange());
  const put = await forward(new FakeExchange({ method: 'PUT' }, new FakeBody(5, Buffer.from('hello'))));
  assert.deepEqual([put.failure?.code, put.informed.length, count], ['UPSTREAM_UNREACHABLE', 1, 2]);
});
