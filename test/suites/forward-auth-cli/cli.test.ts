/** `postern forward-auth` as people run it: settings checked and printed, read again by SIGHUP, ended in order. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { freePorts } from '../../support/free-ports.ts';
import { accepts, until } from '../../support/programs.ts';
import { Stopwatch } from '../../support/stopwatch.ts';

const POSTERN = resolve(import.meta.dirname, '../../../bin/postern');
const dir = mkdtempSync(join(tmpdir(), 'postern-cli-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const ENOUGH = [
  '--provider=github',
  '--client-id=id',
  '--client-secret=s',
  '--cookie-secret=0123456789abcdef',
  '--email-domain=*',
];
const PATH = { PATH: process.env['PATH'] ?? '', HOME: dir };

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(POSTERN, args, { env: { ...PATH, ...env }, encoding: 'utf8', cwd: dir });
}

test('--config-test says that settings are good, and exits 0', () => {
  const { status, stdout, stderr } = run(['forward-auth', ...ENOUGH, '--config-test']);
  assert.deepEqual([status, stdout, stderr], [0, 'configuration is valid\n', '']);
});

test('--config-test prints every fault with its place and remedy, and exits 1', () => {
  writeFileSync(join(dir, 'o.cfg'), 'client_id = "x"\ncookie_expires = "1h"\n');
  const { status, stdout, stderr } = run(['forward-auth', '--config=o.cfg', '--config-test'], {
    OAUTH2_PROXY_COOKIE_SECRET: 'short-secret',
  });
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(
    stderr,
    /^o\.cfg:2 {2}CONFIG_INVALID {2}"cookie_expires" is no key that is known\n +did you mean cookie_expire\?$/m,
  );
  assert.match(
    stderr,
    /^OAUTH2_PROXY_COOKIE_SECRET {2}CONFIG_INVALID {2}cookie_secret is 12 bytes, not 16, 24 or 32\n +make one: openssl rand/m,
  );
  assert.match(stderr, /^not given {2}CONFIG_INVALID {2}client_secret is not given$/m);
  assert.ok(!stderr.includes('short-secret'));
});

test('--help names every group, and --flag VALUE reaches the command as it stands', () => {
  const { status, stdout } = run(['forward-auth', '--help']);
  assert.equal(status, 0);
  for (const title of ['Listening and TLS', 'Who may enter', 'OpenID Connect', 'Cookies', 'Logs and metrics'])
    assert.ok(stdout.includes(`\n${title}\n`), title);
  const loaded = run(['forward-auth', ...ENOUGH, '--cookie-name', '--odd', '--config-test']);
  assert.equal(loaded.stdout, 'configuration is valid\n');
});

test('--print-config prints a document that postern check takes', () => {
  const { status, stdout } = run(['forward-auth', ...ENOUGH, '--print-config', '--upstream=http://127.0.0.1:3000/']);
  assert.equal(status, 0);
  writeFileSync(join(dir, 'postern.yaml'), stdout);
  const checked = run(['check', '--config', 'postern.yaml'], { CLIENT_SECRET: 'a-secret' });
  assert.equal(checked.status, 0, checked.stderr);
});

test('SIGHUP reads files again: good settings count at once, bad ones change nothing', async () => {
  const [port = 0] = await freePorts(1);
  const passwords = join(dir, 'passwords');
  const envFile = join(dir, 'forward-auth.env');
  writeFileSync(passwords, `alice:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`);
  const write = (groups: string): void => writeFileSync(envFile, `OAUTH2_PROXY_ALLOWED_GROUPS=${groups}\n`);
  write('staff');
  const more = [
    `--http-address=127.0.0.1:${port}`,
    `--htpasswd-file=${passwords}`,
    '--htpasswd-user-group=staff',
    `--env-file=${envFile}`,
  ];
  const child = spawn(POSTERN, ['forward-auth', ...ENOUGH, ...more], { env: PATH, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((done) => {
    child.once('close', done);
  });
  await until(() => accepts(port), 'it listens');
  const check = async (): Promise<number> => {
    const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
    return (await fetch(`http://127.0.0.1:${port}/oauth2/auth`, { headers: { authorization } })).status;
  };
  const reload = async (groups: string, wanted: string): Promise<void> => {
    const from = output.length;
    write(groups);
    child.kill('SIGHUP');
    await until(() => output.slice(from).includes(wanted), wanted);
  };
  assert.equal(await check(), 202);
  await reload('others', 'Settings were read again');
  assert.equal(await check(), 403);
  await reload(',', 'Settings were not read again: the old ones stay');
  assert.match(output, /allowed_groups holds only an empty item/);
  assert.equal(await check(), 403);
  await reload('staff', 'Settings were read again');
  assert.equal(await check(), 202);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

test('SIGTERM ends an open WebSocket by a close frame, and does not wait out its time for it', async (t) => {
  const [port = 0] = await freePorts(1);
  const app = createServer();
  new WebSocketServer({ server: app }).on('connection', (socket) => socket.send('hello'));
  await new Promise<void>((done) => app.listen(0, '127.0.0.1', done));
  t.after(() => {
    app.closeAllConnections();
    app.close();
  });
  const more = [
    `--http-address=127.0.0.1:${port}`,
    `--upstream=http://127.0.0.1:${(app.address() as AddressInfo).port}/`,
    '--skip-auth-route=.*',
  ];
  const child = spawn(POSTERN, ['forward-auth', ...ENOUGH, ...more], { env: PATH, stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const ended = new Promise<number | null>((done) => child.once('close', done));
  await until(() => accepts(port), 'it listens');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  const closed = new Promise<number>((done) => socket.once('close', done));
  await new Promise((done, fail) => {
    socket.once('message', done);
    socket.once('error', fail);
  });
  const watch = new Stopwatch();
  child.kill('SIGTERM');
  assert.equal(await closed, 1001);
  assert.equal(await ended, 0);
  assert.ok(watch.stop() < 7_500, 'it did not wait as long as it may');
});
