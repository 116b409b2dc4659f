/**
 * What works once works once across a crash, too: Postern is killed and started again within the life of
 * a sign-in's state, a logout token, a hand-off code and a code of an authenticator app.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOTP } from 'otpauth';
import { startTwin, type Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { startGreetingApp } from '../../support/greeting-app.ts';
import type { GreetingApp } from '../../support/greeting-app.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { createVisitor, nextOf } from '../../support/visitor.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';

/** Of a code of an authenticator app (RFC 6238). */
const STEP_MS = 30_000;
const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

suite('What works once works once across a crash', () => {
  const dir = mkdtempSync(join(tmpdir(), 'single-use-'));
  let app: GreetingApp;
  let twin: Twin;
  let postern: PosternProcess;

  const start = async (ports?: { https: number; health: number }): Promise<PosternProcess> =>
    startPostern({
      keepDir: dir,
      ...(ports === undefined ? {} : { ports }),
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers:
  twin: { type: oidc, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}" }
  local: { type: local }
sign_in: { url: "https://auth.localhost:${https}", provider: twin }
hosts:
  app.localhost: { to: "http://127.0.0.1:${app.port}", allow: [signed-in] }
`,
    });
  /** A power cut: nothing is said or written on the way out. */
  const crash = async (): Promise<void> => {
    const { https, health } = postern;
    await postern.close('SIGKILL');
    postern = await start({ https, health });
  };

  before(async () => {
    app = await startGreetingApp();
    twin = await startTwin();
    postern = await start();
  });
  after(async () => {
    await postern?.close();
    await twin?.stop();
    app?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const url = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;
  const go = (visitor: Visitor, address: string): Promise<Visit> => visitor.send(address, { headers: NAVIGATION });
  const next = (page: Visit): string => new URL(nextOf(page) ?? '', page.url).href;

  /** Up to the address that the provider sends the person back to. */
  const comeBack = async (visitor: Visitor): Promise<string> => {
    let page = await go(visitor, url('app'));
    while (!next(page).startsWith(twin.issuer)) page = await go(visitor, next(page));
    return twin.visit(next(page));
  };
  /** From there to the address of the hand-off, which is not opened. */
  const handOff = async (visitor: Visitor, callback: string): Promise<string> => {
    let page = await go(visitor, callback);
    while (!next(page).includes('/.postern/land')) page = await go(visitor, next(page));
    return next(page);
  };
  const copyOf = (visitor: Visitor): Visitor => {
    const copy = createVisitor();
    copy.cookies.push(...visitor.cookies);
    return copy;
  };

  test('the state of a sign-in at a provider: its callback counts once, and the code is not even tried again', async () => {
    const visitor = createVisitor();
    const callback = await comeBack(visitor);
    const thief = copyOf(visitor);
    assert.equal((await go(visitor, callback)).status, 303);
    await crash();
    const asked = twin.requests.filter((one) => one === 'POST /token').length;
    const replayed = await go(thief, callback);
    assert.equal(replayed.status, 400, replayed.body);
    assert.equal(twin.requests.filter((one) => one === 'POST /token').length, asked);
    await postern.waitFor(/its state was used before/);
    const fresh = createVisitor();
    const unused = await comeBack(fresh);
    await crash();
    assert.equal((await go(fresh, unused)).status, 303, 'one that was not used goes on after a restart');
  });

  test('codes that a stranger makes up are asked about so often, and keep nobody else out', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 8, rejectUnauthorized: false, localAddress: '127.0.0.9' });
    const get = (path: string, cookie: string): Promise<IncomingMessage> =>
      new Promise((done, fail) => {
        const headers = { ...NAVIGATION, host: `auth.localhost:${postern.https}`, cookie };
        const options = { host: '127.0.0.1', port: postern.https, servername: 'auth.localhost', path, agent, headers };
        request(options, (answer) => answer.resume().on('end', () => done(answer)))
          .on('error', fail)
          .end();
      });
    const makeUp = async (): Promise<number | undefined> => {
      const { headers } = await get('/.postern/sign-in?provider=twin', '');
      const { searchParams } = new URL(headers.location ?? '');
      const query = new URLSearchParams({ code: 'x', iss: twin.issuer, state: searchParams.get('state') ?? '' });
      const cookie = (headers['set-cookie'] ?? []).map((one) => one.split(';', 1)[0]).join('; ');
      return (await get(`/.postern/callback/twin?${query.toString()}`, cookie)).statusCode;
    };
    const asked = twin.requests.filter((one) => one === 'POST /token').length;
    const startedAt = Date.now();
    let refused = 0;
    try {
      // Two a second are let through again, however slow the machine.
      while (refused < 20) if ((await Promise.all(Array.from({ length: 8 }, makeUp))).includes(429)) refused++;
    } finally {
      agent.destroy();
    }
    const seconds = (Date.now() - startedAt) / 1_000;
    const more = twin.requests.filter((one) => one === 'POST /token').length - asked;
    assert.ok(more >= 200 && more <= 210 + 2 * seconds, `${more} codes in ${seconds} s`);
    const visitor = createVisitor();
    assert.equal((await visitor.open(await handOff(visitor, await comeBack(visitor)))).body, 'app for twin:alice');
  });

  test('a hand-off code opens one session, before a crash or after it', async () => {
    const visitor = createVisitor();
    const landing = await handOff(visitor, await comeBack(visitor));
    const thief = copyOf(visitor);
    await crash();
    assert.equal((await go(visitor, landing)).status, 303, 'it waits through a restart');
    await crash();
    assert.equal((await go(thief, landing)).status, 400);
    assert.equal((await visitor.open(url('app'))).body, 'app for twin:alice');
  });

  test('a logout token ends sessions once: one that was seen ends none that came after it', async () => {
    const visitor = createVisitor();
    await visitor.open(await handOff(visitor, await comeBack(visitor)));
    const token = twin.signLogout({ sub: 'sub-alice' });
    const logOut = (): Promise<Visit> =>
      createVisitor().send(url('auth', '/.postern/backchannel-logout'), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ logout_token: token }).toString(),
      });
    assert.equal((await logOut()).status, 200);
    assert.equal((await visitor.send(url('app'), { headers: { accept: 'application/json' } })).status, 401);
    await visitor.open(await handOff(visitor, await comeBack(visitor)));
    await crash();
    assert.equal((await logOut()).status, 400);
    assert.equal((await visitor.open(url('app'))).body, 'app for twin:alice', 'the new session goes on');
  });

  test('a code of an authenticator app, a recovery code and a set-password link work once', async () => {
    const password = await addUser(postern, 'lea');
    const visitor = createVisitor();
    const signIn = async (one: Visitor): Promise<Visit> =>
      one.submit(await one.open(url('auth', '/.postern/sign-in?provider=local')), { name: 'lea', password }, 'sign-in');
    await signIn(visitor);
    const page = await visitor.open(url('auth', '/.postern/security?add=totp'));
    const secret = (/<code class="secret">([^<]+)</.exec(page.body)?.[1] ?? '').replaceAll(' ', '');
    // The step before counts, too: the one of now is left for the sign-in.
    const code = (at: number): string => new TOTP({ secret }).generate({ timestamp: at });
    // Not at the end of a step: by the time the code of the one before comes, it would be that of the last but one.
    const left = STEP_MS - (Date.now() % STEP_MS);
    if (left < 10_000) await sleep(left);
    const done = await visitor.submit(page, { code: code(Date.now() - STEP_MS), name: 'Phone' }, 'security');
    const recovery = /<li><code>([^<]+)<\/code>/.exec(done.body)?.[1] ?? '';
    assert.notEqual(recovery, '', done.body);
    for (const isOfApp of [true, false]) {
      const first = createVisitor();
      const form = await signIn(first);
      const used = isOfApp ? code(Date.now()) : recovery;
      const entered = await first.submit(form, { code: used }, 'second-step');
      assert.equal(entered.status, 200, entered.body);
      await crash();
      const second = createVisitor();
      assert.equal((await second.submit(await signIn(second), { code: used }, 'second-step')).status, 403);
    }
    const link = /https:\S+/.exec((await postern.cli('user', 'link', 'lea', '--print-link')).stdout)?.[0] ?? '';
    const owner = createVisitor();
    const form = await owner.open(link);
    assert.match(form.body, /lea/, link);
    const set = await owner.submit(form, {
      password: 'another good one',
      confirm: 'another good one',
      again: 'another good one',
    });
    assert.equal(set.status, 200, set.body);
    await crash();
    assert.doesNotMatch((await createVisitor().open(link)).body, /name="password"/);
  });
});
