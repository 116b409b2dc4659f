import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Backends } from './backends.ts';
import { BodyRelay } from './body-relay.ts';
import { createUpstreams } from './forward.ts';
import { Resolver } from './resolve.ts';
import type { ForwardPlan } from './plan.ts';
import type { Lookup } from './resolve.ts';
import { actionTo, FakeBody, FakeExchange, LIMITS, planFor, rawApp, serverAt, until } from './test-rig.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import { createTicker } from '../wire/ticker.ts';
import type { BodySink, ConnectionFacts } from '../wire/exchange.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const clock = { now: () => Date.now() };
const log = { warn: () => {}, info: () => {} };
const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.toReversed()) await close();
});

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function asker(lookup: Lookup): (action: ProxyAction) => Promise<FakeExchange> {
  const upstreams = createUpstreams({ clock, log, lookup });
  closers.push(() => upstreams.close());
  return (action) => {
    const exchange = new FakeExchange();
    upstreams.forward(exchange, planFor(action), exchange.report);
    return exchange.done;
  };
}

test('a container that is recreated at another address is found at once', async () => {
  let app = await rawApp((socket) => socket.end(OK));
  const { port } = app;
  let address = '127.0.0.1';
  const ask = asker((_host, done) => setImmediate(() => done(null, [address])));
  const action = actionTo([serverAt(port, { host: 'app.internal' })]);
  assert.equal((await ask(action)).text, 'ok');
  await app.close();
  address = '127.0.0.2';
  app = await rawApp(() => {});
  await app.close();
  app.server.on('connection', (socket) => socket.on('data', () => socket.end(OK)));
  await new Promise<void>((resolve) => app.server.listen(port, '127.0.0.2', resolve));
  closers.push(app.close);
  const again = await ask(action);
  assert.equal(again.text, 'ok', again.failure?.message);
});

test('all addresses of a name are tried in order', async () => {
  const app = await rawApp((socket) => socket.write(OK));
  closers.push(app.close);
  const ask = asker((_host, done) => done(null, ['127.0.0.9', '::1', '127.0.0.1']));
  const exchange = await ask(actionTo([serverAt(app.port, { host: 'app.internal' })]));
  assert.equal(exchange.text, 'ok', exchange.failure?.message);
});

test('a name that does not resolve, or is none, is UPSTREAM_UNREACHABLE', async () => {
  const ask = asker((_host, done) => done(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []));
  const gone = await ask(actionTo([serverAt(80, { host: 'gone.internal' })]));
  assert.equal(gone.failure?.code, 'UPSTREAM_UNREACHABLE');
  assert.match(gone.failure?.message ?? '', /does not resolve/);
  for (const server of [serverAt(0), serverAt(70_000), serverAt(80, { host: 'a b' }), serverAt(80, { host: 'a/b' })]) {
    assert.equal((await ask(actionTo([server]))).failure?.code, 'UPSTREAM_UNREACHABLE');
  }
});

test('targets that only templates lead to are bounded', () => {
  const ticker = createTicker();
  const backends = new Backends({ resolver: new Resolver(clock), ticker, onHealth: () => {} });
  const fixed = actionTo([serverAt(1)]);
  const release = backends.retain([fixed]);
  backends.groupOf(fixed);
  for (let i = 0; i < 2_500; i++) backends.groupOf(actionTo([serverAt(2_000 + i)]));
  assert.equal(backends.size, 1_001);
  backends.tick(performance.now());
  const group = backends.groupOf(fixed);
  assert.equal(backends.groupOf(fixed), group, 'the same group each time');
  release();
  assert.equal(backends.size, 1_000);
  backends.destroy();
  ticker.close();
});

test('retain() makes nothing for apps that nobody visits, and keeps those that somebody did', () => {
  const ticker = createTicker();
  const backends = new Backends({ resolver: new Resolver(clock), ticker, onHealth: () => {} });
  const actions = Array.from({ length: 10_000 }, (_, i) => actionTo([serverAt(1_000 + i)]));
  const first = backends.retain(actions);
  assert.equal(backends.size, 0);
  for (const action of actions.slice(0, 1_500)) backends.groupOf(action);
  assert.equal(backends.size, 1_500, 'no bound holds for what the document names');
  const second = backends.retain(actions.slice(0, 1_000));
  first();
  assert.equal(backends.size, 1_000);
  second();
  assert.equal(backends.size, 0);
  backends.destroy();
  ticker.close();
});

test('connections are taken last in, first out', async () => {
  const app = await rawApp((socket) => socket.write(OK));
  closers.push(app.close);
  const ask = asker((_host, done) => done(null, []));
  const action = actionTo([serverAt(app.port)]);
  await Promise.all([ask(action), ask(action), ask(action)]);
  assert.equal(app.sockets.length, 3);
  const before = app.received.map((one) => one.length);
  for (let i = 0; i < 5; i++) await ask(action);
  await until(() => app.received.some((one, i) => one.length > (before[i] as number)), 'they arrive');
  assert.equal(app.received.filter((one, i) => one.length > (before[i] as number)).length, 1);
});

test('BodyRelay holds what comes while there is no connection, and hands it to the next', () => {
  const source = new FakeBody(-1);
  const relay = new BodyRelay(source, () => {});
  const seen: string[] = [];
  const sink = (name: string): BodySink => ({
    write: (chunk) => seen.push(`${name}:${chunk.toString()}`) > 0,
    flush: () => {},
    end: () => seen.push(`${name}:end`),
    abort: () => seen.push(`${name}:abort`),
  });
  relay.attach(sink('first'));
  relay.detach();
  assert.equal(source.sink?.write(Buffer.from('a')), false);
  source.sink?.end(null);
  assert.equal(relay.isConsumed, false);
  relay.attach(sink('second'));
  assert.deepEqual(seen, ['second:a', 'second:end']);
  assert.equal(relay.isConsumed, true);
});

test('a request that needs a fresh connection is not starved by idle ones', async () => {
  let isStale = false;
  const app = await rawApp((socket) => {
    if (isStale) {
      isStale = false;
      socket.destroy();
      return;
    }
    socket.write(OK);
  });
  closers.push(app.close);
  const ask = asker((_host, done) => done(null, []));
  const action = actionTo([serverAt(app.port)], { maxConnections: 1 });
  await ask(action);
  isStale = true;
  const answers = await Promise.all([ask(action), ask(action), ask(action)]);
  assert.deepEqual(
    answers.map((one) => one.text),
    ['ok', 'ok', 'ok'],
  );
});

test('a server that serves once gets a connection for each request, is told so, and is another than one that is kept', async () => {
  const heads: string[] = [];
  let connections = 0;
  const app = await rawApp((socket, text) => {
    heads.push(text);
    socket.write(OK);
  });
  app.server.on('connection', () => connections++);
  closers.push(app.close);
  const ask = asker(() => {});
  const once = actionTo([serverAt(app.port, { servesOnce: true })]);
  for (let i = 0; i < 3; i++) assert.equal((await ask(once)).text, 'ok');
  assert.equal(connections, 3);
  assert.ok(heads.every((head) => /\r\nConnection: close\r\n/.test(head)));
  const kept = actionTo([serverAt(app.port)]);
  for (let i = 0; i < 3; i++) assert.equal((await ask(kept)).text, 'ok');
  assert.equal(connections, 4);
  assert.ok(heads.slice(3).every((head) => !/\r\nConnection:/.test(head)));
});

test('a connection that an app has signed in is kept for its visitor, closed in time, and never holds others up', async () => {
  const seen: number[] = [];
  let sockets = 0;
  const app = await rawApp((socket) => {
    const own = Reflect.get(socket, 'own') ?? Reflect.set(socket, 'own', ++sockets);
    seen.push(own === true ? sockets : Number(own));
    socket.write('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x", NTLM\r\nContent-Length: 2\r\n\r\nno');
  });
  closers.push(app.close);
  let now = 1_000;
  const ticker = createTicker({ intervalMs: 1_000_000, leadMs: 0, now: () => now });
  const upstreams = createUpstreams({ clock, log, ticker });
  closers.push(() => upstreams.close());
  const action = actionTo([serverAt(app.port)], { maxConnections: 2 });
  const ask = async (connection: ConnectionFacts): Promise<number> => {
    const exchange = Object.assign(new FakeExchange(), { connection });
    upstreams.forward(exchange, planFor(action), exchange.report);
    await exchange.done;
    return seen.at(-1) ?? 0;
  };
  const visitors = Array.from({ length: 3 }, () => ({ ...new FakeExchange().connection }));
  const [alice, bob, carol] = visitors as [ConnectionFacts, ConnectionFacts, ConnectionFacts];
  assert.deepEqual([await ask(alice), await ask(bob), await ask(alice), await ask(bob)], [1, 2, 1, 2]);
  assert.deepEqual([await ask(carol), await ask(bob)], [3, 2], 'the eldest makes room');
  assert.equal([...upstreams.stats()][0]?.connections, 2);
  now += 61_000;
  ticker.tick();
  assert.equal([...upstreams.stats()][0]?.connections, 0, 'nobody came back for them');
});

test('a connection that an app has signed in for one person serves nobody who comes after by the same connection', async () => {
  const seen: number[] = [];
  let sockets = 0;
  const app = await rawApp((socket) => {
    const own = Number(Reflect.get(socket, 'own') ?? ++sockets);
    Reflect.set(socket, 'own', own);
    seen.push(own);
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  closers.push(app.close);
  const upstreams = createUpstreams({ clock, log });
  closers.push(() => upstreams.close());
  const action = actionTo([serverAt(app.port)]);
  const connection = { ...new FakeExchange().connection };
  const ask = async (plan: Partial<ForwardPlan>): Promise<number> => {
    const exchange = Object.assign(new FakeExchange({ headers: { Authorization: 'NTLM TlRMTVNTUAAD' } }), {
      connection,
    });
    upstreams.forward(exchange, planFor(action, plan), exchange.report);
    await exchange.done;
    return seen.at(-1) ?? 0;
  };
  const alice = { who: 'a' };
  const bob = { who: 'b' };
  assert.deepEqual(
    [await ask(alice), await ask(alice), await ask(bob), await ask(alice), await ask(bob)],
    [1, 1, 2, 1, 2],
  );
  assert.deepEqual(
    [await ask({}), await ask({}), await ask(alice)],
    [3, 3, 1],
    'who has no session is told by the connection',
  );
  const proxied = { fromTrustedProxy: true };
  assert.deepEqual([await ask(proxied), await ask(proxied)], [4, 5], 'which a proxy in front shares among all');
  assert.deepEqual([await ask({ ...alice, ...proxied }), await ask({ ...alice, ...proxied })], [1, 1]);
});

test('a name server that does not answer: 504 after connect_timeout, the old failure where one is known, and others go on', async () => {
  const app = await rawApp((socket) => socket.write(OK));
  closers.push(app.close);
  const nobody = await rawApp(() => undefined);
  await nobody.close();
  let now = 1_000;
  const ticker = createTicker({ intervalMs: 1_000_000, leadMs: 0, now: () => now });
  const lookups: string[] = [];
  const lookup: Lookup = (host, done) => {
    lookups.push(host);
    if (host === 'known.internal' && lookups.filter((one) => one === host).length === 1) done(null, ['127.0.0.1']);
  };
  const upstreams = createUpstreams({ clock, log, ticker, lookup });
  closers.push(() => upstreams.close());
  const ask = (host: string, port: number): FakeExchange => {
    const exchange = new FakeExchange();
    upstreams.forward(exchange, planFor(actionTo([serverAt(port, { host })])), exchange.report);
    return exchange;
  };
  const silent = ask('silent.internal', app.port);
  const refused = ask('known.internal', nobody.port);
  await until(() => lookups.length === 3, 'both wait for a name');
  now += 1_900;
  ticker.tick();
  assert.equal(silent.failure === null, true);
  assert.equal((await ask('127.0.0.1', app.port).done).text, 'ok');
  now += 200;
  ticker.tick();
  assert.equal((await silent.done).failure?.code, 'UPSTREAM_TIMEOUT');
  assert.match(silent.failure?.message ?? '', /its name was not resolved within 2000 ms/);
  assert.equal((await refused.done).failure?.code, 'UPSTREAM_UNREACHABLE');
});

test(
  'an app that cannot be reached at the address that was just looked up fails at once, whatever the name server does next',
  { timeout: 60_000 },
  async () => {
    const nobody = await rawApp(() => undefined);
    await nobody.close();
    for (const scheme of ['http', 'h2c'] as const) {
      let asked = 0;
      const lookup: Lookup = (_host, done) => {
        // The second question is never answered.
        if (++asked === 1) setImmediate(() => done(null, ['127.0.0.1']));
      };
      // No time passes, so that nothing ends by a timeout.
      const upstreams = createUpstreams({ clock, log, lookup, ticker: STANDING });
      closers.push(() => upstreams.close());
      const exchange = new FakeExchange();
      const action = actionTo([serverAt(nobody.port, { scheme, host: 'app.internal' })]);
      upstreams.forward(exchange, planFor(action), exchange.report);
      assert.equal((await exchange.done).failure?.code, 'UPSTREAM_UNREACHABLE');
      assert.equal(asked, 2, 'it is asked for again, for whoever comes next');
    }
  },
);

const STANDING = createTicker({ intervalMs: 1_000_000, leadMs: 0, now: () => 1_000 });

test('an app that has answered while this thread stood still was not too slow to connect', async () => {
  const app = await rawApp((socket) => socket.write(OK));
  closers.push(app.close);
  const upstreams = createUpstreams({ clock, log });
  closers.push(() => upstreams.close());
  const exchange = new FakeExchange();
  const action = actionTo([serverAt(app.port)]);
  upstreams.forward(exchange, planFor(action, { limits: { ...LIMITS, connectMs: 200 } }), exchange.report);
  standStill(500);
  await exchange.done;
  assert.equal(exchange.text, 'ok', exchange.failure?.message);
});
