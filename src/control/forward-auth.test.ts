import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { makeCertificate } from '../../test/transport-rig.ts';
import { settingsWith, type DeepPartial } from '../forward-auth/settings-fixture.ts';
import { askControl } from './control-socket.ts';
import { startForwardAuth } from './forward-auth.ts';
import type { Settings } from '../forward-auth/settings.ts';
import type { ForwardAuth } from './forward-auth.ts';
import type { SessionLine } from './people.ts';

interface Rig {
  readonly running: ForwardAuth;
  readonly dataDir: string;
  readonly url: string;
  readonly logFile: string;
}

async function startRig(t: TestContext, changes: DeepPartial<Settings> = {}): Promise<Rig> {
  const dataDir = mkdtempSync(join(tmpdir(), 'forward-auth-'));
  const file = join(dataDir, 'htpasswd');
  const logFile = join(dataDir, 'forward-auth.log');
  writeFileSync(file, `alice:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`);
  const settings = settingsWith({
    htpasswd: { file, groups: ['staff'], showsForm: true, namesAreEmails: false },
    logging: { file: { path: logFile, maxMegabytes: 10, maxDays: 0, backups: 0 } },
    ...changes,
  });
  const running = await startForwardAuth({
    settings,
    dataDir,
    version: '0.0.0',
    isTerminal: false,
    onFatal: (error) => assert.fail(String(error)),
  });
  t.after(async () => {
    await running.close();
    rmSync(dataDir, { recursive: true });
  });
  return { running, dataDir, url: `http://127.0.0.1:${running.ports.http}`, logFile };
}

/** The cookie of somebody who signed in by the form. */
async function signIn(url: string): Promise<string> {
  const answer = await fetch(`${url}/oauth2/sign_in`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ username: 'alice', password: 'secret', rd: '/' }),
  });
  assert.equal(answer.status, 302);
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
}

async function check(url: string, cookie = ''): Promise<number> {
  return (await fetch(`${url}/oauth2/auth`, { headers: { cookie } })).status;
}

test('startForwardAuth() answers health checks, and is not ready while the issuer does not answer', async (t) => {
  const { url } = await startRig(t);
  const ping = await fetch(`${url}/ping`);
  assert.equal(ping.status, 200);
  assert.equal(await ping.text(), 'OK');
  const ready = await fetch(`${url}/ready`);
  assert.equal(ready.status, 500);
  assert.equal(await ready.text(), 'error: the provider has not answered yet\n');
});

test('startForwardAuth() lets a session in until it is revoked over the control socket', async (t) => {
  const { url, dataDir } = await startRig(t);
  assert.equal(await check(url), 401);
  const cookie = await signIn(url);
  assert.equal(await check(url, cookie), 202);
  const [session] = (await askControl(dataDir, 'sessions.list', {})) as SessionLine[];
  assert.equal(session?.user, 'htpasswd:alice');
  assert.deepEqual(await askControl(dataDir, 'sessions.revoke', { user: 'htpasswd:alice' }), { revoked: 1 });
  assert.equal(await check(url, cookie), 401);
});

test('startForwardAuth() listens on a unix socket, and believes whoever may open it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forward-auth-socket-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'front.sock');
  await startRig(t, {
    server: { http: `unix:${path},mode=0660` },
    trust: { reverseProxy: true, trustedIps: ['192.0.2.0/24'] },
  });
  const statusFor = (ip: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      httpRequest({ socketPath: path, path: '/oauth2/auth', headers: { host: 'app.example.com', 'x-real-ip': ip } })
        .on('response', (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
  assert.equal(await statusFor('192.0.2.7'), 202);
  assert.equal(await statusFor('198.51.100.7'), 401);
});

test('startForwardAuth() leaves nothing behind where an address cannot be had', async (t) => {
  const { running } = await startRig(t);
  const dataDir = mkdtempSync(join(tmpdir(), 'forward-auth-busy-'));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const settings = settingsWith({ server: { http: `127.0.0.1:${running.ports.http}` } });
  const options = { settings, dataDir, version: '0.0.0', isTerminal: false, onFatal: () => {} };
  await assert.rejects(startForwardAuth(options), { code: 'LISTEN_FAILED' });
  // The folder is free again.
  const again = await startForwardAuth({ ...options, settings: settingsWith() });
  await again.close();
});

/** Names of the certificate that is served, and the status of `/ping`. */
function pingOverTls(port: number, servername: string): Promise<readonly [names: string, status: number | undefined]> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername, path: '/ping', rejectUnauthorized: false, agent: false };
    httpsRequest(options)
      .on('response', (response) => {
        const names = (response.socket as TLSSocket).getPeerCertificate().subjectaltname ?? '';
        resolve([names, response.resume().statusCode]);
      })
      .on('error', reject)
      .end();
  });
}

test('startForwardAuth() serves one certificate for every name, and a new one when its files change', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forward-auth-tls-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [certificateFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const write = (name: string): void => {
    const pair = makeCertificate(`/CN=${name}`, `DNS:${name}`);
    writeFileSync(certificateFile, pair.cert);
    writeFileSync(keyFile, pair.key);
  };
  write('first.test');
  const secret = (file: string): { read: () => Buffer } => ({ read: () => readFileSync(file) });
  const tls = {
    certificateFile,
    keyFile,
    certificate: secret(certificateFile),
    key: secret(keyFile),
    minVersion: 'TLSv1.2',
    ciphers: [],
  } as const;
  const { running } = await startRig(t, { server: { http: null, https: '127.0.0.1:0', tls } });
  const port = running.ports.https ?? 0;
  assert.equal(running.ports.http, null);
  assert.deepEqual(await pingOverTls(port, 'anything.example'), ['DNS:first.test', 200]);
  write('second.test');
  let served = '';
  for (let i = 0; i < 600 && served !== 'DNS:second.test'; i++) {
    await setTimeout(50);
    [served] = await pingOverTls(port, 'other.example');
  }
  assert.equal(served, 'DNS:second.test');
});

test('startForwardAuth() speaks HTTP/2 over TLS', async (t) => {
  const pair = makeCertificate('/CN=app.test', 'DNS:app.test');
  const inline = (text: string): { read: () => Buffer } => ({ read: () => Buffer.from(text) });
  const tls = {
    certificateFile: '',
    keyFile: '',
    certificate: inline(pair.cert),
    key: inline(pair.key),
    minVersion: 'TLSv1.3',
    ciphers: [],
  } as const;
  const { running, url } = await startRig(t, { server: { http: '127.0.0.1:0', https: '127.0.0.1:0', tls } });
  const cookie = await signIn(url);
  const session = http2Connect(`https://127.0.0.1:${running.ports.https}`, { rejectUnauthorized: false });
  t.after(() => session.destroy());
  const statusOf = (headers: Record<string, string>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/oauth2/auth', ':authority': 'app.test', ...headers });
      stream.on('response', (fields) => resolve([fields[':status'], fields['gap-auth']]));
      stream.on('error', reject);
      stream.resume().end();
    });
  assert.deepEqual(await statusOf({}), [401, undefined]);
  assert.deepEqual(await statusOf({ cookie }), [202, 'alice']);
});

test('startForwardAuth() counts requests under the original’s names, on a listener of their own', async (t) => {
  const { running, url } = await startRig(t, { metrics: { http: '127.0.0.1:0' } });
  const metricsUrl = `http://127.0.0.1:${running.ports.metrics}`;
  await check(url);
  await check(url, await signIn(url));
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  assert.match(text, /^oauth2_proxy_requests_total\{code="202"\} 1$/m);
  assert.match(text, /^oauth2_proxy_requests_total\{code="401"\} 1$/m);
  assert.match(text, /^oauth2_proxy_requests_in_flight 0$/m);
  assert.match(text, /^oauth2_proxy_response_duration_seconds_count\{method="GET"\} 2$/m);
  assert.match(text, /^postern_decisions_total\{decision="enter"\} 1$/m);
  assert.match(text, /^postern_sign_ins_total\{result="signed-in"\} 1$/m);
  assert.equal((await fetch(`${metricsUrl}/oauth2/auth`)).status, 404);
  assert.equal((await fetch(`${url}/metrics`)).status, 403);
});

test('startForwardAuth() logs who asked about what, and no secret', async (t) => {
  const { running, url, logFile } = await startRig(t, { trust: { reverseProxy: true } });
  const cookie = await signIn(url);
  await fetch(`${url}/oauth2/auth`, {
    headers: { cookie, 'x-forwarded-uri': '/deep/link?token=sesame&b=2', 'x-forwarded-host': 'a.example.com' },
  });
  await fetch(`${url}/oauth2/callback?code=one-time-code&state=the-state`);
  await running.close();
  const text = readFileSync(logFile, 'utf8');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const asked = lines.find((line) => line['path'] === '/deep/link?token=***&b=2');
  assert.deepEqual(
    [asked?.['status'], asked?.['who'], asked?.['host'], asked?.['route']],
    [202, 'alice', 'a.example.com', '/oauth2/auth'],
  );
  assert.ok(lines.some((line) => line['event'] === 'AuthSuccess' && line['who'] === 'alice'));
  assert.doesNotMatch(text, /sesame|one-time-code|the-state|secret/);
  assert.ok(!text.includes(cookie.split('=')[1] ?? 'x'));
});

test('startForwardAuth() writes the original’s text where templates are configured', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forward-auth-text-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'text.log');
  const { running, url } = await startRig(t, {
    logging: {
      file: { path, maxMegabytes: 10, maxDays: 0, backups: 0 },
      authFormat: 'AUTH {{.Client}} {{.Username}} [{{.Status}}] {{.Message}}',
      requestFormat: 'REQUEST {{.RequestMethod}} {{.RequestURI}} {{.StatusCode}}',
      silencesPing: true,
    },
  });
  await signIn(url);
  await fetch(`${url}/ping`);
  await check(url);
  await running.close();
  const text = readFileSync(path, 'utf8');
  assert.match(text, /^AUTH 127\.0\.0\.1 alice \[AuthSuccess\] Signed in by password$/m);
  assert.match(text, /^REQUEST GET "\/oauth2\/auth" 401$/m);
  assert.doesNotMatch(text, /ping/);
});
