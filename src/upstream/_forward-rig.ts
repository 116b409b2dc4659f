/** An app of raw bytes and a way to it, for tests of what is relayed; closed behind the tests of the file. */
import { after } from 'node:test';
import { createUpstreams } from './forward.ts';
import type { Upstreams } from './forward.ts';
import type { ForwardPlan } from './plan.ts';
import { actionTo, FakeBody, FakeExchange, planFor, rawApp, serverAt } from './test-rig.ts';
import type { FakeRequest, RawApp } from './test-rig.ts';
import { IntervalTicker } from '../wire/ticker.ts';
import type { ProxyAction } from '../config/document/actions.ts';

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const log = { warn: () => {}, info: () => {} };

export interface Rig {
  readonly app: RawApp;
  readonly upstreams: Upstreams;
  readonly action: ProxyAction;
  readonly forward: (request?: FakeRequest, more?: Partial<ForwardPlan>, body?: FakeBody) => FakeExchange;
}

const opened: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of opened) await close();
});

let time = 0;
const ticker = new IntervalTicker({ now: () => performance.now() + time, intervalMs: 1_000_000, leadMs: 0 });

/** Whatever waits sees that so much time is over. */
export function passes(ms: number): void {
  time += ms;
  ticker.tick();
}

export async function rig(onRequest: Parameters<typeof rawApp>[0], more: Partial<ProxyAction> = {}): Promise<Rig> {
  const app = await rawApp(onRequest);
  const upstreams = createUpstreams({ clock: { now: () => Date.now() }, log, ticker, instanceId: 'test' });
  opened.push(app.close, () => upstreams.close());
  const action = actionTo([serverAt(app.port)], more);
  const forward: Rig['forward'] = (request, plan, body) => {
    const exchange = new FakeExchange(request, body);
    upstreams.forward(exchange, planFor(action, plan), exchange.report);
    return exchange;
  };
  return { app, upstreams, action, forward };
}
