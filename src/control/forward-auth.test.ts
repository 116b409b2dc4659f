import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
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
    htpasswd: { file, groups: ['staff'], showsForm: true },
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
