/**
 * Measures the server side of HTTP/1.1: parsing a head, and a serve loop over loopback sockets with
 * the load in a thread of its own, so that the CPU time is the server's alone.
 * Run: node bench/micro/http1-server.ts [seconds]
 */
import { createServer, type AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { FACTS } from '../../test/support/connection-facts.ts';
import { HeaderBlock } from '../../src/wire/header-block.ts';
import { serveHttp1 } from '../../src/wire/http1-server.ts';
import { HTTP1_DEFAULTS } from '../../src/wire/http1-settings.ts';
import { readLatin1 } from '../../src/wire/latin1.ts';
import { parseRequestHead } from '../../src/wire/request-head.ts';
import { createTicker } from '../../src/wire/ticker.ts';
import type { Exchange } from '../../src/wire/exchange.ts';

const SECONDS = Number(process.argv[2] ?? 3);
const REQUEST = [
  'GET /api/v1/query?query=up&time=1700000000 HTTP/1.1',
  'Host: grafana.example.com',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Encoding: gzip, deflate, br',
  'Accept-Language: en-US,en;q=0.5',
  'Cookie: __Host-postern=q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq83',
  'Sec-Fetch-Mode: cors',
  '\r\n',
].join('\r\n');

function measureParse(): void {
  const bytes = Buffer.from(REQUEST, 'latin1');
  const end = bytes.length - 2;
  const rounds = 300_000;
  for (let pass = 0; pass < 3; pass++) {
    const before = performance.now();
    for (let i = 0; i < rounds; i++) parseRequestHead(readLatin1(bytes, 0, bytes.length), 0, end, HTTP1_DEFAULTS);
    const micros = ((performance.now() - before) * 1000) / rounds;
    if (pass === 2) console.log(`parse a head of ${bytes.length} bytes: ${micros.toFixed(2)} us`);
  }
}

const LOAD = `
const { connect } = require('node:net');
const { workerData } = require('node:worker_threads');
for (let i = 0; i < 16; i++) {
  const socket = connect(workerData.port, '127.0.0.1');
  let left = 0;
  socket.setNoDelay(true);
  const request = Buffer.from(workerData.request);
  socket.write(request);
  socket.on('data', (chunk) => {
    left += chunk.length;
    if (left >= workerData.size) { left = 0; socket.write(request); }
  });
}`;

const BODY = Buffer.alloc(762, 'x');
const HEAD = {
  status: 200,
  headers: HeaderBlock.from({
    'Content-Type': 'text/html; charset=utf-8',
    Server: 'app',
    Date: 'Sun, 22 Nov 2026 23:29:42 GMT',
    ETag: '"2fa-1234567890"',
    'Cache-Control': 'no-store',
    'Last-Modified': 'Sun, 22 Nov 2026 23:29:42 GMT',
  }),
};

/** CPU time of the server's thread per request. `answer` null: the least a socket costs, without HTTP. */
async function measureServe(name: string, answer: ((exchange: Exchange) => void) | null, size: number): Promise<void> {
  const ticker = createTicker();
  let requests = 0;
  const fixed = Buffer.alloc(size, 'x');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    if (answer === null) {
      socket.setNoDelay(true);
      socket.on('data', () => {
        requests++;
        socket.write(fixed);
      });
      return;
    }
    serveHttp1(socket, FACTS, { ...HTTP1_DEFAULTS, ticker }, (exchange) => {
      requests++;
      answer(exchange);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const load = new Worker(LOAD, { eval: true, workerData: { port, request: REQUEST, size } });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const [before, cpu] = [requests, process.threadCpuUsage()];
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  const used = process.threadCpuUsage(cpu);
  console.log(`${name}: ${((used.user + used.system) / (requests - before)).toFixed(2)} us CPU a request`);
  await load.terminate();
  server.close();
  ticker.close();
}

async function sizeOf(answer: (exchange: Exchange) => void): Promise<number> {
  const { connect } = await import('node:net');
  const ticker = createTicker();
  const server = createServer((socket) => serveHttp1(socket, FACTS, { ...HTTP1_DEFAULTS, ticker }, answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const size = await new Promise<number>((resolve) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let bytes = 0;
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.on('end', () => resolve(bytes));
    socket.end(REQUEST);
  });
  server.close();
  ticker.close();
  return size;
}

/** As a proxy does it: head, one chunk, flush at the end of the read event, end. */
function relay(exchange: Exchange): void {
  const sink = exchange.respond(HEAD, BODY.length, () => undefined);
  sink.write(BODY);
  sink.end(null);
}

measureParse();
const size = await sizeOf(relay);
await measureServe('bare socket, fixed answer', null, size);
await measureServe('serveHttp1, respondWhole', (exchange) => exchange.respondWhole(HEAD, BODY), size);
await measureServe('serveHttp1, respond + write + end', relay, size);
process.exit();
