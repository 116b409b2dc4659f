import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { HeaderBlock } from '../../wire/header-block.ts';
import { ALICE, startServing, type RigOptions, type ServingRig } from './_rig.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** An app that keeps WebSockets and event streams open. */
async function startApp(t: TestContext): Promise<number> {
  const server = createServer((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write('data: hello\n\n');
  });
  const sockets = new Set<Socket>();
  server.on('upgrade', (_req, socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

interface Open {
  readonly first: string;
  readonly closed: Promise<void>;
  readonly socket: Socket;
}

/** A connection that stays open; `first` is what came up to the first pause. */
function openLive(t: TestContext, { port }: ServingRig, lines: readonly string[]): Promise<Open> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET /live HTTP/1.1\r\nHost: app.example.com\r\n${lines.join('\r\n')}\r\n\r\n`),
    );
    t.after(() => socket.destroy());
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    socket.on('error', () => {});
    socket.once('data', (chunk: Buffer) => {
      socket.resume();
      resolve({ first: chunk.toString('latin1'), closed, socket });
    });
    socket.once('close', () => reject(new Error('closed before an answer')));
  });
}

const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${KEY}`];

async function startRig(t: TestContext, options: RigOptions = {}): Promise<ServingRig> {
  const port = await startApp(t);
  const upstream = {
    id: 'app',
    path: '/',
    rewrite: null,
    target: { kind: 'http', url: `http://127.0.0.1:${port}` },
    skipTlsVerify: false,
    passHostHeader: true,
    websockets: true,
    timeoutMs: 30_000,
    flushMs: 1_000,
    keepAlive: true,
  } as const;
  return startServing(t, { ...options, settings: { upstreams: [upstream], ...options.settings } });
}

/** As the timer does, with time passed in between. */
function tick(rig: ServingRig): void {
  rig.front.live.tick(performance.now() + 1_000);
}

async function isOpen({ closed }: Open): Promise<boolean> {
  const late = new Promise<'open'>((done) => setTimeout(() => done('open'), 100));
  return (await Promise.race([closed, late])) === 'open';
}

const endOf = (rig: ServingRig, cookie: string): Promise<unknown> =>
  rig.keeper.end(HeaderBlock.from({ Cookie: cookie.replace('Cookie: ', '') }), { host: 'app.example.com' });

for (const [name, lines] of [
  ['a WebSocket', UPGRADE],
  ['an event stream', []],
] as const) {
  test(`${name} is closed when its session is revoked, and not before`, async (t) => {
    const rig = await startRig(t);
    const cookie = await rig.signIn();
    const [live, other] = [
      await openLive(t, rig, [cookie, ...lines]),
      await openLive(t, rig, [await rig.signIn(), ...lines]),
    ];
    assert.match(live.first, lines.length > 0 ? /^HTTP\/1\.1 101/ : /^HTTP\/1\.1 200/);
    assert.equal(rig.front.live.size, 2);
    tick(rig);
    assert.equal(await isOpen(live), true);
    await endOf(rig, cookie);
    rig.advance(1_000);
    tick(rig);
    await live.closed;
    assert.equal(await isOpen(other), true);
    assert.equal(rig.front.live.size, 1);
  });

  test(`${name} is closed when its session has expired`, async (t) => {
    const rig = await startRig(t);
    const live = await openLive(t, rig, [await rig.signIn(), ...lines]);
    rig.advance(rig.settings.cookie.expireMs);
    tick(rig);
    await live.closed;
  });

  test(`${name} is closed when the settings let its person in no more`, async (t) => {
    let isAllowed = true;
    const rig = await startRig(t, { provider: { authorizes: () => isAllowed } });
    const live = await openLive(t, rig, [await rig.signIn(), ...lines]);
    tick(rig);
    isAllowed = false;
    rig.advance(1_000);
    tick(rig);
    await live.closed;
  });
}

test('a stream of a bearer is closed when the token has expired', async (t) => {
  const expiresOn = ALICE.createdAt + 5_000;
  const rig = await startRig(t, {
    settings: { bearer: { accepts: true, fallsBack: true } },
    provider: { verifyBearer: () => Promise.resolve({ kind: 'ok', value: { ...ALICE, via: 'bearer', expiresOn } }) },
  });
  const live = await openLive(t, rig, ['Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln']);
  tick(rig);
  assert.equal(await isOpen(live), true);
  rig.advance(5_000);
  tick(rig);
  await live.closed;
});

test('a store that is away closes what it let in after a minute, not at once', async (t) => {
  let isAway = false;
  const rig = await startRig(t, {
    keeper: (keeper) => ({ ...keeper, find: (headers) => (isAway ? { kind: 'unavailable' } : keeper.find(headers)) }),
  });
  const live = await openLive(t, rig, [await rig.signIn(), ...UPGRADE]);
  tick(rig);
  isAway = true;
  rig.advance(59_000);
  tick(rig);
  assert.equal(await isOpen(live), true);
  rig.advance(2_000);
  tick(rig);
  await live.closed;
});

test('a WebSocket that rides on a session comes from pages that are ours', async (t) => {
  const rig = await startRig(t, {
    settings: {
      redirects: { callbackUrl: 'https://auth.example.net/oauth2/callback', whitelist: ['.example.org:8443'] },
      cookie: { domains: ['.example.info'] },
    },
  });
  const cookie = await rig.signIn();
  for (const origin of [
    'https://app.example.com',
    'http://app.example.com:8080',
    'https://auth.example.net',
    'https://x.example.org',
    'https://y.example.info',
  ])
    assert.match((await openLive(t, rig, [cookie, ...UPGRADE, `Origin: ${origin}`])).first, /^HTTP\/1\.1 101/, origin);
  for (const origin of [
    'https://evil.example',
    'null',
    'https://app.example.com.evil.example',
    'https://evilexample.org',
    '',
  ])
    assert.match((await openLive(t, rig, [cookie, ...UPGRADE, `Origin: ${origin}`])).first, /^HTTP\/1\.1 403/, origin);
});

test('a WebSocket without a session never reaches the app', async (t) => {
  const rig = await startRig(t);
  assert.match((await openLive(t, rig, UPGRADE)).first, /^HTTP\/1\.1 401/);
});
