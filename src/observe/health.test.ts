import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { openHealthServer, type HealthOptions, type HealthServer } from './health.ts';

async function open(t: TestContext, more: Partial<HealthOptions> = {}): Promise<HealthServer> {
  const server = await openHealthServer({
    host: '127.0.0.1',
    port: 0,
    names: ['postern'],
    notReady: () => null,
    metrics: () => 'a 1\n',
    ...more,
  });
  t.after(server.close);
  return server;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Record<string, unknown>;
}

async function ask(
  port: number,
  path: string,
  { method = 'GET', host = 'localhost', to = '127.0.0.1' } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ host: to, port, path, method, headers: { Host: host }, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks).toString(), headers: res.headers }),
      );
    });
    req.on('error', reject).end();
  });
}

test('the three pages answer, and readiness follows what it is told', async (t) => {
  const state: { why: string | null } = { why: 'starting' };
  const { port } = await open(t, { notReady: () => state.why, metrics: async () => Promise.resolve('x 1\n') });
  assert.deepEqual((await ask(port, '/healthz')).body, 'ok\n');
  const early = await ask(port, '/readyz');
  assert.deepEqual([early.status, early.body], [503, 'not ready: starting\n']);
  state.why = null;
  assert.equal((await ask(port, '/readyz')).status, 200);
  const metrics = await ask(port, '/metrics?x');
  assert.deepEqual(
    [metrics.status, metrics.body, metrics.headers['content-type']],
    [200, 'x 1\n', 'text/plain; version=0.0.4; charset=utf-8'],
  );
  const head = await ask(port, '/metrics', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '4']);
  assert.equal((await ask(port, '/')).status, 404);
});

test('only GET and HEAD', async (t) => {
  const { port } = await open(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await ask(port, '/healthz', { method });
    assert.deepEqual([answer.status, answer.headers['allow']], [405, 'GET, HEAD']);
  }
});

test('a Host that DNS could point here is refused, whatever the page (DNS rebinding)', async (t) => {
  const { port } = await open(t);
  for (const host of [
    'localhost',
    `LOCALHOST:${port}`,
    '127.0.0.1',
    `127.9.9.9:${port}`,
    '[::1]:80',
    'postern',
    'Postern:7070',
  ]) {
    assert.equal((await ask(port, '/healthz', { host })).status, 200, host);
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.0.2.1',
    '[2001:db8::1]',
    'localhost:80:80',
    'a b',
    '0x7f.1',
    '2130706433',
  ]) {
    assert.equal((await ask(port, '/metrics', { host })).status, 403, host);
  }
});

test('off loopback it is asked by any address, never by an unknown name', async (t) => {
  const { networkInterfaces } = await import('node:os');
  const own = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
  if (own === undefined) return t.skip('this machine has loopback only');
  const { port } = await open(t, { host: own });
  assert.equal((await ask(port, '/healthz', { to: own, host: `${own}:${port}` })).status, 200);
  assert.equal((await ask(port, '/healthz', { to: own, host: 'evil.example' })).status, 403);
});

test('a request without Host, and one that is no HTTP, get 400', async (t) => {
  const { port } = await open(t);
  for (const bytes of ['GET /healthz HTTP/1.1\r\n\r\n', 'nonsense\r\n\r\n']) {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket
        .on('data', (chunk: Buffer) => (text += chunk.toString()))
        .on('close', () => resolve(text))
        .on('error', reject);
      if (bytes.startsWith('GET')) socket.once('data', () => socket.end());
    });
    assert.match(answer, /^HTTP\/1\.1 400 /);
  }
});

test('metrics that fail answer 500 and nothing of the reason', async (t) => {
  const { port } = await open(t, { metrics: async () => Promise.reject(new Error('secret place')) });
  const answer = await ask(port, '/metrics');
  assert.deepEqual([answer.status, answer.body], [500, 'The answer could not be made\n']);
});

test('an address that this machine does not have is named with a remedy', async (t) => {
  await assert.rejects(open(t, { host: '192.0.2.1' }), {
    code: 'LISTEN_FAILED',
    message:
      /^Cannot listen for health checks on "192\.0\.2\.1:0": this machine does not have that address; set listen\.health to/,
  });
});

test('a port in use is named with a remedy', async (t) => {
  const { port } = await open(t);
  await assert.rejects(open(t, { port }), {
    code: 'LISTEN_FAILED',
    message: `Cannot listen for health checks on "127.0.0.1:${port}": another program has it; set listen.health to a free port`,
  });
});
