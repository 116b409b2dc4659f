/**
 * What idle WebSockets cost: 9 000 through Postern (plain, and over TLS) and through nginx, in resident
 * memory of the gateway. Apps and clients are raw sockets in processes of their own, so that only the
 * gateway is measured. Run: npm run bench:websockets [-- COUNT]
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPeer } from '../test/support/peers.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { startPostern } from '../test/support/postern.ts';
import { makeCertificate } from './support/certificate.ts';
import { PEERS } from './support/peers.ts';
import { processTree, residentBytes } from './support/process-cpu.ts';
import { stop, waitForPort } from './support/processes.ts';

const COUNT = Number(process.argv[2] ?? 9_000);
const MIB = 2 ** 20;

const APP = `
const { createHash } = require('node:crypto');
require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', (data) => {
    const key = /sec-websocket-key: (.+)\\r/i.exec(data.toString('latin1'))[1];
    const accept = createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  });
}).listen(Number(process.argv[1]), '127.0.0.1', 4096, () => process.send('ready'));
`;
const CLIENTS = `
const [port, count, secure] = process.argv.slice(1).map(Number);
const net = require('node:net'), tls = require('node:tls');
const head = 'GET /ws HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n';
let open = 0, failed = 0, started = 0;
function next() {
  if (started === count) return;
  started++;
  const where = { port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false };
  const socket = secure ? tls.connect(where, () => socket.write(head)) : net.connect(where, () => socket.write(head));
  socket.once('data', (data) => { data.toString('latin1').startsWith('HTTP/1.1 101') ? open++ : failed++; done(); });
  socket.on('error', () => { failed++; done(); });
}
function done() { if (open + failed === count) process.send({ open, failed }); else next(); }
for (let i = 0; i < 50; i++) next();
`;

function startNode(code: string, args: readonly (string | number)[]): ChildProcess {
  return spawn(process.execPath, ['-e', code, ...args.map(String)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => {
    child.once('message', resolve);
  });
}

async function measure(name: string, pid: number, port: number, secure: boolean): Promise<number> {
  const pids = processTree(pid);
  const before = residentBytes(pids);
  const clients = startNode(CLIENTS, [port, COUNT, secure ? 1 : 0]);
  const { open, failed } = (await message(clients)) as { open: number; failed: number };
  await new Promise((done) => {
    setTimeout(done, 8_000);
  });
  const after = residentBytes(pids);
  const each = (after - before) / Math.max(1, open) / 1024;
  const all = (after / MIB).toFixed(0);
  console.log(
    `${name.padEnd(16)} ${open} open, ${failed} failed   ${(before / MIB).toFixed(0)} -> ${all} MiB   ${each.toFixed(1)} KiB each`,
  );
  clients.kill('SIGKILL');
  return after;
}

const dir = mkdtempSync(join(tmpdir(), 'postern-idle-'));
const files = makeCertificate(dir, ['localhost', 'other.test']);
const [appPort = 0, nginxPort = 0] = await freePorts(2);
const app = startNode(APP, [appPort]);
await message(app);

const document = (ports: { http: number; https: number; health: number }): string => `version: 1
workers: 1
log: { level: warn }
listen: { http: { address: "127.0.0.1:${ports.http}", tls: off }, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
limits: { connections: 30000 }
hosts:
  localhost: { to: "http://127.0.0.1:${appPort}", allow: [public], tls: { certificate: ${files.certificate}, key: ${files.key} }, max_connections: 20000 }
default: { to: "http://127.0.0.1:${appPort}", allow: [public], max_connections: 20000 }
`;
for (const secure of [false, true]) {
  const postern = await startPostern({
    document: (ports) => document(ports).replace(secure ? '' : '  localhost:', secure ? '' : '  other.test:'),
  });
  await measure(
    secure ? 'postern TLS' : 'postern plain',
    postern.child.pid ?? 0,
    secure ? postern.https : postern.http,
    secure,
  );
  await postern.close();
}
const nginx = PEERS.find((peer) => peer.name === 'nginx');
if (nginx !== undefined && findPeer('nginx') !== null) {
  const own = join(dir, 'nginx');
  mkdirSync(own);
  const child = nginx.start({ dir: own, httpsPort: nginxPort, appPort, core: 0, ...files });
  await waitForPort(nginxPort);
  await measure('nginx TLS', child.pid ?? 0, nginxPort, true);
  await stop(child);
}
app.kill('SIGKILL');
rmSync(dir, { recursive: true, force: true });
process.exit(0);
