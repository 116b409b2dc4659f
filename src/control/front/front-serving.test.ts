import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { settingsWith, type DeepPartial } from '../../forward-auth/settings-fixture.ts';
import { startForwardAuth } from '../forward-auth.ts';
import type { Settings } from '../../forward-auth/settings.ts';
import type { ForwardAuth } from '../forward-auth.ts';

interface Rig {
  readonly running: ForwardAuth;
  readonly url: string;
  readonly settings: (changes?: DeepPartial<Settings>) => Settings;
}

/** An application whose answer to /stream never ends. */
async function startApp(t: TestContext): Promise<string> {
  const app = createServer((request, response) => {
    response.write('begun\n');
    if (request.url !== '/stream') response.end();
  });
  await new Promise<void>((done) => {
    app.listen(0, '127.0.0.1', done);
  });
  t.after(() => {
    app.closeAllConnections();
    app.close();
  });
  return `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
}

async function startRig(t: TestContext): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'front-serving-'));
  const file = join(folder, 'htpasswd');
  writeFileSync(file, `alice:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`);
  const url = await startApp(t);
  const upstream = {
    id: '/',
    path: '/',
    rewrite: null,
    target: { kind: 'http', url },
    skipTlsVerify: false,
    passHostHeader: true,
    websockets: true,
    timeoutMs: 30_000,
    flushMs: 0,
    keepAlive: true,
  } as const;
  const settings = (changes: DeepPartial<Settings> = {}): Settings =>
    settingsWith({
      htpasswd: { file, groups: ['staff'], showsForm: true, namesAreEmails: false },
      upstreams: [upstream],
      logging: { file: { path: join(folder, 'log'), maxMegabytes: 1, maxDays: 0, backups: 0 } },
      provider: { kind: 'none' },
      ...changes,
    });
  const onFatal = (error: unknown): void => assert.fail(String(error));
  const running = await startForwardAuth({
    settings: settings(),
    dataDir: null,
    version: '0',
    isTerminal: false,
    onFatal,
  });
  t.after(async () => {
    await running.close();
    rmSync(folder, { recursive: true });
  });
  return { running, url: `http://127.0.0.1:${running.ports.http}`, settings };
}

async function signIn(url: string): Promise<string> {
  const body = new URLSearchParams({ username: 'alice', password: 'secret', rd: '/' });
  const answer = await fetch(`${url}/oauth2/sign_in`, { method: 'POST', redirect: 'manual', body });
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
}

async function check(url: string, cookie: string): Promise<number> {
  return (await fetch(`${url}/oauth2/auth`, { headers: { cookie } })).status;
}

test('replace() has new rules count for sessions that are there, and the old ones again', async (t) => {
  const { running, url, settings } = await startRig(t);
  const cookie = await signIn(url);
  assert.equal(await check(url, cookie), 202);
  await running.reload(settings({ admission: { groups: ['others'] }, compat: { deniedStatus: 403 } }));
  assert.equal(await check(url, cookie), 403);
  await running.reload(settings());
  assert.equal(await check(url, cookie), 202);
});

test('replace() closes a connection that the new rules do not let in, and no other', async (t) => {
  const { running, url, settings } = await startRig(t);
  const cookie = await signIn(url);
  const stream = (): Promise<{ readonly ended: Promise<void>; readonly isOpen: () => boolean }> =>
    new Promise((begun, failed) => {
      get(`${url}/stream`, { headers: { cookie }, agent: false }, (response) => {
        let isOpen = true;
        const ended = new Promise<void>((done) => {
          response.once('close', () => done());
          response.on('error', () => undefined);
        }).then(() => {
          isOpen = false;
        });
        response.once('data', () => begun({ ended, isOpen: () => isOpen }));
      }).on('error', failed);
    });
  const open = await stream();
  await running.reload(settings({ skip: { preflight: true } }));
  await new Promise((done) => {
    setTimeout(done, 1_200);
  });
  assert.ok(open.isOpen(), 'what is still let in stays');
  await running.reload(settings({ admission: { groups: ['others'] } }));
  await open.ended;
});

test('replace() refuses what takes a restart, and serves on by the old settings', async (t) => {
  const { running, url, settings } = await startRig(t);
  const cookie = await signIn(url);
  const changes: DeepPartial<Settings> = { server: { http: '127.0.0.1:1' }, cookie: { name: 'other' } };
  await assert.rejects(running.reload(settings(changes)), {
    code: 'OPERATION_REFUSED',
    message: 'Cannot change http_address, cookie_* while running: start Postern again; the old settings stay',
  });
  assert.equal(await check(url, cookie), 202);
});

test('replace() changes nothing where a file cannot be read', async (t) => {
  const { running, url, settings } = await startRig(t);
  const cookie = await signIn(url);
  const admission = { emailsFile: '/nowhere/emails', groups: ['others'] };
  await assert.rejects(running.reload(settings({ admission })), { code: 'CONFIG_UNREADABLE' });
  assert.equal(await check(url, cookie), 202);
});
