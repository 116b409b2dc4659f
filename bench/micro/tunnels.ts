/**
 * Memory of idle WebSockets: `node --expose-gc bench/micro/tunnels.ts [COUNT]`. This process is the gateway with the
 * real path from accept to tunnel; a child holds both far ends. Prints RSS and bytes for each tunnel.
 */
import { fork } from 'node:child_process';
import net from 'node:net';
import { createIpSet } from '../../src/core/ip-address.ts';
import { Transport, type TransportSettings } from '../../src/edge/listener.ts';
import { HeaderBlock } from '../../src/wire/header-block.ts';
import { serveHttp1 } from '../../src/wire/http1-server.ts';
import { HTTP1_DEFAULTS } from '../../src/wire/http1-settings.ts';
import { createTicker } from '../../src/wire/ticker.ts';
import { joinTunnel } from '../../src/wire/tunnel.ts';

const COUNT = Number(process.argv[2] ?? 10_000);
const BATCH = 100;
const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** Both far ends: an app that takes everything, and clients that open tunnels and fall silent. */
async function runPeers(): Promise<void> {
  const app = net.createServer((socket) => socket.resume()).listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await new Promise((resolve) => app.once('listening', resolve));
  process.send?.({ appPort: (app.address() as net.AddressInfo).port });
  const [port] = (await new Promise<number[]>((resolve) =>
    process.once('message', (one) => resolve([Number(one)])),
  )) as [number];
  for (let opened = 0; opened < COUNT; opened += BATCH) {
    await Promise.all(Array.from({ length: Math.min(BATCH, COUNT - opened) }, () => openTunnel(port)));
  }
  process.send?.('ready');
}

function openTunnel(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(UPGRADE));
    socket.once('data', () => resolve());
    socket.once('error', reject);
  });
}

async function runGateway(): Promise<void> {
  const child = fork(import.meta.filename, [String(COUNT)], { env: { ...process.env, PEERS: '1' } });
  const { appPort } = (await new Promise((resolve) => child.once('message', resolve))) as { appPort: number };
  const ticker = createTicker();
  const settings: TransportSettings = {
    connections: Infinity,
    connectionsPerAddress: Infinity,
    connectionsPerLoopback: Infinity,
    proxyPeers: createIpSet([]),
    handshakeMs: 10_000,
    minVersion: 'TLSv1.2',
    http2: true,
    handshakes: 100_000,
  };
  let tunnels = 0;
  const transport = new Transport({
    settings: () => settings,
    certificates: { contextFor: () => null, clientAuthFor: () => null },
    ticketKeys: Buffer.alloc(48),
    onRefused: (refusal) => console.error(refusal),
    serve: (socket, facts) =>
      serveHttp1(socket, facts, { ...HTTP1_DEFAULTS, ticker }, (exchange) => {
        const app = net.connect({ port: appPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }, () => {
          const client = exchange.acceptUpgrade({ status: 101, headers: HeaderBlock.from({ Upgrade: 'websocket' }) });
          joinTunnel(client, app, { idleMs: Infinity, ticker, onClose: () => tunnels-- });
          tunnels++;
        });
      }),
  });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const { port } = await transport.listen({ host: '127.0.0.1', port: 0, tls: false });
  const ready = new Promise((resolve) => child.once('message', resolve));
  child.send(port);
  await ready;
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const perTunnel = Math.round((rss - before) / COUNT);
  const mb = (bytes: number): number => Math.round(bytes / 1e5) / 10;
  console.log(
    JSON.stringify({
      tunnels,
      rssMb: mb(rss),
      beforeMb: mb(before),
      heapMb: mb(heapUsed),
      externalMb: mb(external),
      perTunnel,
    }),
  );
  child.kill();
  process.exit(0);
}

await (process.env['PEERS'] === '1' ? runPeers() : runGateway());
