import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startFrameApp, whole } from './_frame-app.ts';
import type { FrameApp, FrameVisit } from './_frame-app.ts';
import { createUpstreams } from './forward.ts';
import { actionTo, FakeBody, FakeExchange, planFor, serverAt } from './test-rig.ts';
import { createTicker } from '../wire/ticker.ts';
import * as frames from '../../test/support/http2-frames.ts';

/** An index that no table has: it cannot be decoded (RFC 7541 section 6.1). */
const UNREADABLE = Buffer.from([0x80]);

async function rig(
  t: TestContext,
  answer: (visit: FrameVisit) => void,
): Promise<{ app: FrameApp; ask: (method?: string) => Promise<FakeExchange> }> {
  const app = await startFrameApp(answer);
  const log = { warn: () => {}, info: () => {} };
  const upstreams = createUpstreams({ clock: { now: () => Date.now() }, log, ticker: createTicker() });
  t.after(async () => {
    await upstreams.close();
    app.close();
  });
  const action = actionTo([serverAt(app.port, { scheme: 'h2c' })]);
  return {
    app,
    ask: (method = 'GET') => {
      const exchange = new FakeExchange({ method }, new FakeBody(0));
      upstreams.forward(exchange, planFor(action), exchange.report);
      return exchange.done;
    },
  };
}

test('an answer of an h2c app whose fields cannot be decoded ends its connection (RFC 9113 section 4.3), and no other', async (t) => {
  const unreadable = ({ id, send }: FrameVisit): void =>
    send(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, id, UNREADABLE));
  const { app, ask } = await rig(t, (visit) => {
    // The second and the third wait together: the answer to the third cannot be read.
    if (visit.count === 0 || visit.count > 2) whole(visit);
    else if (visit.count === 2) unreadable(visit);
  });
  assert.equal((await ask()).text, 'whole');
  const both = await Promise.all([ask(), ask()]);
  // Which of them it was nobody knows: sent again, it would end another connection, and whoever waits there.
  for (const { failure, response, report } of both)
    assert.deepEqual([failure?.code, response, report.retries], ['UPSTREAM_UNREACHABLE', null, 0]);
  const next = await ask('POST');
  assert.deepEqual([next.text, app.received().length, app.seen()], ['whole', 2, 4]);
});
