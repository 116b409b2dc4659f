/** Programs that speak HTTP/2 in their own way, against the whole gateway: curl, nghttp and h2load. Chromium, grpc-js and Node have suites of their own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { skipWithout } from '../../support/peers.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

const run = promisify(execFile);
const SIZE = 3_000_000;

/** Answers with the sum of what it was sent, its trailers and a large field; `/large` with many bytes. */
function startApp(): Server {
  return createServer({ maxHeaderSize: 65_536 }, (req, res) => {
    if (req.url === '/large') {
      res.end(Buffer.alloc(SIZE, 'x'));
      return;
    }
    const hash = createHash('sha256');
    req.on('data', (chunk: Buffer) => hash.update(chunk));
    req.on('end', () => {
      const length = String(req.headers['continuation-test-4'] ?? '').length;
      res.end(`${hash.digest('hex')} ${req.trailers['x-sum'] ?? '-'} ${length}`);
    });
  });
}

suite('clients of HTTP/2', { skip: skipWithout('curl', 'nghttp', 'h2load') }, () => {
  let postern: PosternProcess;
  let app: Server;
  let url: string;
  const dir = mkdtempSync(join(tmpdir(), 'postern-clients-'));
  const body = randomBytes(SIZE);
  const file = join(dir, 'body');
  const sum = createHash('sha256').update(body).digest('hex');

  before(async () => {
    writeFileSync(file, body);
    app = startApp();
    await new Promise<void>((done) => app.listen(0, '127.0.0.1', done));
    const { port } = app.address() as AddressInfo;
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
hosts:
  localhost: { to: "http://127.0.0.1:${port}", allow: [public] }
`,
    });
    url = `https://localhost:${postern.https}`;
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test('curl sends and gets 3 MB, waits for 100 and sees HTTP/2', async () => {
    const base = ['-sk', '--http2', '-w', ' %{http_version} %{http_code}'];
    const sent = await run('curl', [...base, '-H', 'Expect: 100-continue', '-T', file, `${url}/up`]);
    assert.equal(sent.stdout, `${sum} - 0 2 200`);
    const got = await run('curl', [...base, '-o', '/dev/null', '-w', ' %{size_download}', `${url}/large`]);
    assert.ok(got.stdout.endsWith(` ${SIZE}`), got.stdout);
    const head = await run('curl', [...base, '-I', `${url}/large`]);
    assert.match(head.stdout, /^HTTP\/2 200/);
  });

  test('nghttp sends padding, a head in several frames and trailers', async () => {
    const args = [
      '--continuation',
      '--padding=200',
      '--no-content-length',
      '--trailer=x-sum: 7',
      `--data=${file}`,
      `${url}/up`,
    ];
    const { stdout } = await run('nghttp', args);
    const [hash, trailer, length] = stdout.trim().split(' ');
    assert.deepEqual([hash, trailer], [sum, '7']);
    assert.ok(Number(length) > 1_000, `the large field has ${length} characters`);
  });

  test('nghttp with windows of 1 KB, and with a table of headers that shrinks, gets everything', async () => {
    for (const args of [
      ['--window-bits=10'],
      ['--connection-window-bits=10'],
      ['--header-table-size=0'],
      ['--max-concurrent-streams=1'],
    ]) {
      const { stdout } = await run('nghttp', [...args, `${url}/large`], { maxBuffer: SIZE * 2 });
      assert.equal(stdout.length, SIZE, args.join());
    }
  });

  test('h2load has every one of 3 000 requests answered, small and large', async () => {
    for (const [path, count] of [
      ['/up', 3_000],
      ['/large', 100],
    ] as const) {
      const { stdout } = await run('h2load', ['-n', String(count), '-c', '4', '-m', '32', `${url}${path}`]);
      assert.match(stdout, new RegExp(`${count} succeeded, 0 failed, 0 errored, 0 timeout`), stdout);
      assert.match(stdout, new RegExp(`status codes: ${count} 2xx`), stdout);
    }
  });
});
