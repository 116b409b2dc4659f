/** `postern cert add` as an operator uses it: checked, in use at once on every worker, kept over restarts. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { createFixture, type Fixture } from '../../../src/certs/_openssl-fixture.ts';
import { until } from '../../support/programs.ts';
import { runPostern, startPostern, type Finished, type PosternProcess } from '../../support/postern.ts';

const WORKERS = 2;
let fixture: Fixture;
let root: string;

before(() => {
  fixture = createFixture();
  root = mkdtempSync(join(tmpdir(), 'postern-uploads-'));
  fixture.make('ca', { names: [], isCa: true });
  fixture.make('middle', { names: [], isCa: true, issuer: 'ca' });
  fixture.make('first', { names: ['app.example.com'], issuer: 'middle', days: 20 });
  fixture.make('second', { names: ['app.example.com'], issuer: 'middle', days: 200 });
  fixture.write('first-chain.pem', ['ca', 'first', 'middle'].map((name) => fixture.read(`${name}.pem`)).join(''));
  const bag = ['-inkey', 'second.key', '-in', 'second.pem'];
  fixture.write('bundle.pem', fixture.read('middle.pem') + fixture.read('ca.pem'));
  fixture.openssl(
    'pkcs12',
    '-export',
    '-legacy',
    ...bag,
    '-certfile',
    'bundle.pem',
    '-out',
    'second.pfx',
    '-passout',
    'pass:secret',
  );
  fixture.write('password', 'secret\n');
  for (const name of ['first.key', 'second.pfx']) chmodSync(fixture.path(name), 0o600);
});
after(() => {
  fixture.remove();
  rmSync(root, { recursive: true, force: true });
});

const documentOf = ({ https, health }: { https: number; health: number }): string => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: ${WORKERS}
hosts:
  app.example.com: { respond: { status: 200, body: hello }, allow: [public] }
`;

function open(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const servername = 'app.example.com';
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername,
      ca: fixture.read('ca.pem'),
      ALPNProtocols: ['http/1.1'],
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

function get(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    socket.once('close', () => reject(new Error('closed')));
    socket.write('GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n');
  });
}

/** Of many new connections, so that every worker is asked. */
async function serials(port: number): Promise<string[]> {
  const found = new Set<string>();
  for (let at = 0; at < WORKERS * 8; at += 1) {
    const socket = await open(port);
    found.add(socket.getPeerCertificate().serialNumber.toLowerCase());
    socket.destroy();
  }
  return [...found];
}

const serialIn = ({ stdout }: Finished): string => /serial ([0-9a-f]+)/.exec(stdout)?.[1] ?? '';

test('an upload is in use at once on every worker, a running connection goes on, and a restart keeps it', async () => {
  let postern: PosternProcess = await startPostern({ document: documentOf, keepDir: root });
  const cli = (...args: string[]): Promise<Finished> => postern.cli('cert', ...args);
  try {
    await assert.rejects(open(postern.https), /unrecognized/i);
    const check = (): Promise<Finished> => postern.cli('check', '--config', postern.configFile);
    assert.match((await check()).stderr, /No certificate for "app\.example\.com"/);
    const first = await cli('add', '--cert', fixture.path('first-chain.pem'), '--key', fixture.path('first.key'));
    assert.equal(first.code, 0, first.stderr);
    assert.match(
      first.stdout,
      /^Added: app\.example\.com \(serial [0-9a-f]+\), good until .* UTC\nIn use for: app\.example\.com\n/,
    );
    assert.match(first.stdout, /Note: The certificates were put in order/);
    assert.deepEqual(await serials(postern.https), [serialIn(first)]);

    assert.match((await cli('list')).stdout, /app\.example\.com +uploaded +expiring +middle[^]*expires within 30 days/);
    const metrics = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
    assert.match(metrics, /postern_certificate_expires_within_days\{name="app\.example\.com"\} 30\n/);
    assert.match(metrics, /postern_certificate_not_after_seconds\{name="app\.example\.com",source="uploaded"\}/);
    const ready = await fetch(`http://127.0.0.1:${postern.health}/readyz`);
    assert.match(
      await ready.text(),
      /^ready\nwarning: The uploaded certificate for "app\.example\.com" expires within 30 days/,
    );

    const running = await open(postern.https);
    assert.match(await get(running), /hello/);
    const more = ['--password-file', fixture.path('password')];
    const second = await cli('add', '--cert', fixture.path('second.pfx'), ...more);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, new RegExp(`takes the place of serial ${serialIn(first)}`));
    assert.deepEqual(await serials(postern.https), [serialIn(second)]);
    assert.match(await get(running), /hello/, 'the connection of before still answers');
    running.destroy();
    assert.match((await cli('list')).stdout, /app\.example\.com +uploaded +in use/);
    assert.equal((await check()).stderr, '', 'the check knows what the running Postern has');
    assert.match((await cli('add', '--cert', fixture.path('second.pfx'), ...more)).stdout, /^Known already/);

    for (const file of readdirSync(postern.dataDir)) {
      const path = join(postern.dataDir, file);
      if (!statSync(path).isFile()) continue;
      assert.equal(statSync(path).mode & 0o077, 0, `${file} is for its owner only`);
      assert.ok(!readFileSync(path, 'latin1').includes('PRIVATE KEY'), `${file} holds no key in plain`);
    }
    assert.ok(!postern.output().includes('secret'));
    await postern.close();

    assert.equal((await check()).stderr, '', 'and what the data folder has');
    const offline = await cli('list');
    assert.match(offline.stdout, /app\.example\.com +uploaded +unused/);
    postern = await startPostern({ document: documentOf, keepDir: root });
    assert.deepEqual(await serials(postern.https), [serialIn(second)]);
    assert.match((await cli('show', 'app.example.com')).stdout, /from +uploaded\n/);
    assert.equal((await cli('remove', serialIn(second))).code, 0);
    await assert.rejects(open(postern.https), /unrecognized/i);
  } finally {
    await postern.close();
  }
});

test('an upload before the first start, and what others may read', async () => {
  const data = join(root, 'early');
  chmodSync(fixture.path('second.key'), 0o644);
  const args = ['--cert', fixture.path('second.pem'), '--key', fixture.path('second.key'), '--data', data];
  const refused = await runPostern(['cert', 'add', ...args]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /warning: Key ".*second\.key" may be read by other users of this machine/);
  assert.match(
    refused.stderr,
    /postern: Cannot add the certificate: one check failed \[TLS_BAD_CERTIFICATE\]\n {2}chain +The chain is not complete: the certificate of "middle", which issued "second", is missing\n +append it/,
  );
  const taken = await runPostern(['cert', 'add', '--incomplete-chain', ...args]);
  assert.equal(taken.code, 0, taken.stderr);
  assert.match(taken.stdout, /No Postern runs with this data folder: it is in use from the next start on/);
  const encrypted = await runPostern(['cert', 'add', '--cert', fixture.path('second.pfx'), '--data', data]);
  assert.match(
    encrypted.stderr,
    /is encrypted, and there is no terminal to ask for its password; give it with --password-file FILE/,
  );
  const missing = await runPostern(['cert', 'add', '--cert', fixture.path('nothing'), '--data', data]);
  assert.match(
    missing.stderr,
    /Cannot add the certificate: ".*nothing" does not exist; check the path \[TLS_BAD_CERTIFICATE\]\n$/,
  );
  const none = await runPostern(['cert', 'remove', 'nobody.example.com', '--data', data]);
  assert.match(none.stderr, /Cannot find a certificate .*for "nobody\.example\.com"/);
  assert.equal((await runPostern(['cert', 'remove', 'app.example.com', '--data', data])).code, 0);
});

test('tls.deploy_to hands the certificate in use to another program, and runs its command once for each', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-deploy-'));
  const log = join(dir, 'log');
  const deploy = `tls:
  deploy_to:
    - { name: app.example.com, certificate: out.pem, key: out.key, mode: 640, run: [/bin/sh, -c, 'echo "$POSTERN_NAME" >> ${log}'] }
    - { name: app.example.com, certificate: missing/both.pem }
`;
  const document = (ports: { https: number; health: number }): string =>
    documentOf(ports).replace('hosts:', `${deploy}hosts:`);
  const postern = await startPostern({ document, keepDir: dir });
  try {
    const add = async (name: string): Promise<void> => {
      const files = ['--cert', fixture.path(`${name}.pem`), '--key', fixture.path(`${name}.key`)];
      const { code, stderr } = await postern.cli('cert', 'add', '--incomplete-chain', ...files);
      assert.equal(code, 0, stderr);
      await postern.waitFor('Cannot write the certificate of');
    };
    for (const [index, name] of ['first', 'second'].entries()) {
      await add(name);
      const isDone = (): boolean =>
        existsSync(log) && readFileSync(log, 'utf8') === 'app.example.com\n'.repeat(index + 1);
      await until(isDone, 'the command has run');
      assert.equal(readFileSync(join(dir, 'out.pem'), 'utf8'), fixture.read(`${name}.pem`));
      assert.equal(readFileSync(join(dir, 'out.key'), 'utf8'), fixture.read(`${name}.key`));
      assert.equal(statSync(join(dir, 'out.key')).mode & 0o777, 0o640);
    }
    assert.match(postern.output(), /DEPLOY_FAILED.*both\.pem\\?": its folder does not exist/);
    assert.equal((await postern.cli('reload')).code, 0);
    assert.match((await postern.cli('cert', 'list')).stdout, /uploaded +in use/, 'what is served is not affected');
    assert.equal(readFileSync(log, 'utf8').split('\n').length, 3, 'nothing is run where nothing changed');
  } finally {
    await postern.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
