/**
 * 1 GB up and down through Postern: memory must stay flat. Warm-up first (the heap of a fresh process
 * grows once), then the peak of the resident memory while a second round runs. Run: npm run bench:bodies
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostern } from '../test/support/postern.ts';
import { makeCertificate } from './support/certificate.ts';
import { processTree, residentBytes } from './support/process-cpu.ts';

const run = promisify(execFile);
const SIZE = 1e9;
const MIB = 2 ** 20;

const app = createServer((req, res) => {
  if (req.method === 'GET') {
    const chunk = Buffer.alloc(65_536, 'x');
    let left = SIZE;
    res.writeHead(200, { 'content-length': SIZE });
    const send = (): void => {
      while (left > 0) {
        const part = left >= chunk.length ? chunk : chunk.subarray(0, left);
        left -= part.length;
        if (!res.write(part)) {
          res.once('drain', send);
          return;
        }
      }
      res.end();
    };
    send();
    return;
  }
  let got = 0;
  req.on('data', (chunk: Buffer) => (got += chunk.length));
  req.on('end', () => res.end(String(got)));
});
await new Promise<void>((done) => {
  app.listen(0, '127.0.0.1', done);
});
const dir = mkdtempSync(join(tmpdir(), 'postern-bodies-'));
const files = makeCertificate(dir, ['localhost']);
const postern = await startPostern({
  document: ({ http, https, health }) => `version: 1
workers: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
hosts:
  localhost: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [public], max_body: unlimited, tls: { certificate: ${files.certificate}, key: ${files.key} } }
  plain.test: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [public], max_body: unlimited, tls: off }
`,
});
const pids = processTree(postern.child.pid ?? 0);

async function transfer(name: string): Promise<void> {
  const base = ['-sk', '--fail', '-o', '/dev/null'];
  const plain = name.startsWith('plain');
  const url = plain ? `http://127.0.0.1:${postern.http}/` : `https://localhost:${postern.https}/`;
  const more = [plain ? '-HHost: plain.test' : '-HX-Nothing: 1', name.endsWith('HTTP/2') ? '--http2' : '--http1.1'];
  if (name.includes('upload')) {
    await run('bash', [
      '-c',
      `head -c ${SIZE} /dev/zero | curl ${[...base, ...more].map((arg) => `'${arg}'`).join(' ')} -T - '${url}'`,
    ]);
  } else await run('curl', [...base, ...more, url]);
}

async function peakWhile(work: Promise<void>): Promise<number> {
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, residentBytes(pids))), 100);
  await work;
  clearInterval(timer);
  return peak;
}

const names = [
  'plain download',
  'plain upload',
  'TLS download',
  'TLS upload',
  'TLS download HTTP/2',
  'TLS upload HTTP/2',
];
console.log(`at rest ${(residentBytes(pids) / MIB).toFixed(0)} MiB`);
for (const name of names) await transfer(name);
const warm = residentBytes(pids);
console.log(`after a warm-up of 1 GB each ${(warm / MIB).toFixed(0)} MiB`);
for (const name of names) {
  const started = performance.now();
  const peak = await peakWhile(transfer(name));
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${name.padEnd(20)} 1 GB in ${seconds.toFixed(1)} s   peak ${((peak - warm) / MIB).toFixed(0).padStart(4)} MiB over the warm-up`,
  );
}
await postern.close();
app.closeAllConnections();
app.close();
rmSync(dir, { recursive: true, force: true });
process.exit(0);
