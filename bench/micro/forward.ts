/**
 * Measures a proxied request in process: client socket -> serveHttp1 -> forward -> app socket and
 * back, with the load and the app in threads of their own, so that the CPU time is the proxy's alone.
 * The first row relays bytes without HTTP: the least that four socket events cost here.
 * Run: node bench/micro/forward.ts [seconds] [--only-forward]
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { FACTS } from '../../test/support/connection-facts.ts';
import { Worker } from 'node:worker_threads';
import type { ProxyAction } from '../../src/config/document/actions.ts';
import { createUpstreams } from '../../src/upstream/forward.ts';
import { createReport } from '../../src/upstream/plan.ts';
import type { ForwardPlan } from '../../src/upstream/plan.ts';
import type { ConnectionFacts } from '../../src/wire/exchange.ts';
import { serveHttp1 } from '../../src/wire/http1-server.ts';
import { HTTP1_DEFAULTS } from '../../src/wire/http1-settings.ts';
import { createTicker } from '../../src/wire/ticker.ts';

const SECONDS = Number(process.argv[2] ?? 3);
const CONNECTIONS = 32;
const REQUEST = [
  'GET /api/v1/query?query=up&time=1700000000 HTTP/1.1',
  'Host: grafana.example.com',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Encoding: gzip, deflate, br',
  'Accept-Language: en-US,en;q=0.5',
  'Cookie: grafana_session=q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq83',
  'Sec-Fetch-Mode: cors',
  '\r\n',
].join('\r\n');

const APP = `
const { createServer } = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
const answer = Buffer.from('HTTP/1.1 200 OK\\r\\nContent-Type: text/html; charset=utf-8\\r\\nServer: app\\r\\n' +
  'Date: Sun, 22 Nov 2026 23:29:42 GMT\\r\\nETag: "2fa-1234567890"\\r\\nCache-Control: no-store\\r\\n' +
  'Content-Length: ' + workerData.size + '\\r\\n\\r\\n' + 'x'.repeat(workerData.size));
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', () => socket.write(answer));
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

const LOAD = `
const { connect } = require('node:net');
const { workerData } = require('node:worker_threads');
const request = Buffer.from(workerData.request);
for (let i = 0; i < workerData.connections; i++) {
  const socket = connect(workerData.port, '127.0.0.1');
  let size = -1, got = 0;
  socket.setNoDelay(true);
  socket.write(request);
  socket.on('data', (chunk) => {
    if (size === -1) {
      const end = chunk.indexOf('\\r\\n\\r\\n');
      size = end + 4 + Number(/content-length: (\\d+)/i.exec(chunk.latin1Slice(0, end))[1]);
    }
    got += chunk.length;
    if (got >= size) { got -= size; size = -1; socket.write(request); }
  });
}`;

const HTTPS_FACTS: ConnectionFacts = { ...FACTS, localPort: 443, scheme: 'https' };
const NO_TLS = { verify: true, caFile: null, caPem: null, serverName: null, certificatePem: null, keyPem: null };
const LIMITS: ForwardPlan['limits'] = {
  maxBodyBytes: 10_000_000,
  bodyIdleMs: 30_000,
  minBodyRate: 0,
  writeIdleMs: 60_000,
  connectMs: 5_000,
  firstByteMs: 60_000,
  upstreamIdleMs: 60_000,
  streamIdleMs: Infinity,
  tunnelIdleMs: Infinity,
};

function actionTo(port: number): ProxyAction {
  const server = { scheme: 'http' as const, host: '127.0.0.1', port, isTemplate: false, weight: 1, at: [] };
  return {
    kind: 'proxy',
    servers: [server],
    balance: 'round-robin',
    hostHeader: 'keep',
    tls: NO_TLS,
    health: null,
    maxFails: 1,
    failMs: 10_000,
    maxConnections: 256,
    at: [],
  };
}

const EDITS = { add: {}, remove: [] };

function planFor(action: ProxyAction): Omit<ForwardPlan, 'path' | 'query'> {
  return {
    action,
    limits: LIMITS,
    hostHeader: 'grafana.example.com',
    clientIp: '192.0.2.7',
    scheme: 'https',
    publicPort: 443,
    requestId: '01JDABCDEFGHJKMNPQRSTVWXYZ',
    strip: null,
    identityHeaders: [
      ['X-Forwarded-User', 'alice'],
      ['X-Forwarded-Email', 'alice@example.com'],
    ],
    requestHeaders: EDITS,
    responseHeaders: EDITS,
    removeCookies: (value) => value,
    removeAuthorization: false,
    isOwnCookieName: () => false,
    upgradeAllowed: false,
    who: null,
    fromTrustedProxy: false,
  };
}

let requests = 0;

function serveForward(port: number): Server {
  const ticker = createTicker();
  const upstreams = createUpstreams({
    clock: { now: () => Date.now() },
    log: { warn: console.warn, info: console.info },
    ticker,
  });
  const base = planFor(actionTo(port));
  return createServer((socket) => {
    serveHttp1(socket, HTTPS_FACTS, { ...HTTP1_DEFAULTS, ticker }, (exchange) => {
      requests++;
      const { path, query } = exchange.request;
      upstreams.forward(
        exchange,
        { ...base, path, query },
        createReport((error) => exchange.abort(error)),
      );
    });
  });
}

function serveBytes(port: number): Server {
  return createServer((client) => {
    const app: Socket = connect(port, '127.0.0.1');
    client.setNoDelay(true);
    app.setNoDelay(true);
    client.on('data', (chunk) => {
      requests++;
      app.write(chunk);
    });
    app.on('data', (chunk) => client.write(chunk));
    client.on('error', () => app.destroy());
    client.on('close', () => app.destroy());
    app.on('error', () => client.destroy());
  });
}

async function measure(name: string, size: number, serve: (port: number) => Server): Promise<void> {
  const app = new Worker(APP, { eval: true, workerData: { size } });
  const appPort = await new Promise<number>((resolve) => app.once('message', resolve));
  const server = serve(appPort);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const load = new Worker(LOAD, { eval: true, workerData: { port, request: REQUEST, connections: CONNECTIONS } });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const [before, cpu] = [requests, process.threadCpuUsage()];
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  const used = process.threadCpuUsage(cpu);
  const count = requests - before;
  const micros = (used.user + used.system) / count;
  console.log(`${name}, ${size} bytes: ${micros.toFixed(2)} us CPU a request (user ${(used.user / count).toFixed(2)})`);
  await load.terminate();
  await app.terminate();
  server.close();
}

const isOnlyForward = process.argv.includes('--only-forward');
for (const size of isOnlyForward ? [762] : [762, 100_000]) {
  if (!isOnlyForward) await measure('bytes only', size, serveBytes);
  await measure('serveHttp1 + forward', size, serveForward);
}
process.exit(0);
