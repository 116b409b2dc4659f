/**
 * Routes that ask for a recent sign-in, or for a level of authentication: a real Keycloak is asked again,
 * in Chromium; scripts and WebSockets are told; a local account types its password once more.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { startGreetingApp } from '../../support/greeting-app.ts';
import type { GreetingApp } from '../../support/greeting-app.ts';
import { openBrowser, openContext, signInOn, takePicture } from '../../support/browser.ts';
import { CLIENT_SECRET, startKeycloak } from '../../support/keycloak.ts';
import type { Keycloak } from '../../support/keycloak.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visitor } from '../../support/visitor.ts';

const MAX_AGE_S = 20;
const SERVER_NAME: object = { servername: 'recent.localhost' };

suite('Routes ask for more than a session', { skip: skipWithout('kc', 'chromium') }, () => {
  let app: GreetingApp;
  let postern: PosternProcess;
  let keycloak: Keycloak;
  let browser: Browser;

  const document = (ports: { https: number; health: number }, kcPort: number): string => {
    const to = `http://127.0.0.1:${app.port}`;
    return `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers:
  keycloak: { type: keycloak, issuer: "http://localhost:${kcPort}/realms/main", client_id: postern, client_secret: "${CLIENT_SECRET}" }
  local: { type: local }
sign_in: { url: "https://auth.localhost:${ports.https}", provider: keycloak }
hosts:
  open.localhost: { to: "${to}", allow: ["keycloak:signed-in"] }
  recent.localhost: { to: "${to}", allow: ["keycloak:signed-in"], require: { max_age: ${MAX_AGE_S}s } }
  vault.localhost: { to: "${to}", allow: ["keycloak:signed-in"], require: { acr: [gold] } }
  mine.localhost: { to: "${to}", allow: ["local:signed-in"], require: { max_age: ${MAX_AGE_S}s }, sign_in: { provider: local } }
`;
  };

  before(async () => {
    app = await startGreetingApp();
    const [kcPort = 0] = await freePorts(1);
    postern = await startPostern({ document: (ports) => document(ports, kcPort) });
    const signInUrl = `https://auth.localhost:${postern.https}`;
    keycloak = await startKeycloak({ signInUrl, backChannelUrl: signInUrl, port: kcPort });
    await until(async () => (await createVisitor().open(url('open'))).status === 200, 'discovery');
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await postern?.close();
    await keycloak?.close();
    app?.close();
  });

  const url = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;

  const signIn = async (page: Page, address: string, name: string): Promise<void> => {
    await page.goto(address);
    await page.fill('input[name="username"]', name);
    await page.fill('input[name="password"]', `pw-${name}`);
    await page.click('#kc-login');
    await page.waitForURL(address);
  };
  /** Keycloak asks who is known for the password alone. */
  const confirm = async (page: Page, address: string, name: string): Promise<void> => {
    await page.waitForURL(/\/realms\/main\//);
    await page.fill('input[name="password"]', `pw-${name}`);
    await page.click('#kc-login');
    await page.waitForURL(address);
  };
  const visitorOf = async (page: Page): Promise<Visitor> => {
    const visitor = createVisitor();
    for (const { name, value, domain } of await page.context().cookies())
      visitor.cookies.push({ name, value, domain, hostOnly: true, path: '/', secure: true });
    return visitor;
  };

  test('max_age: a recent sign-in enters, an old one is asked again by Keycloak, and comes to where it wanted', async () => {
    const page = await (await openContext(browser)).newPage();
    await signIn(page, url('recent', '/report?a=1&b=%2F'), 'alice');
    assert.equal(await page.textContent('body'), 'app for keycloak:alice');
    await page.goto(url('open'));
    await sleep(MAX_AGE_S * 1_000);
    await page.goto(url('open'));
    assert.equal(await page.textContent('body'), 'app for keycloak:alice', 'other routes bear it');
    const deep = url('recent', '/deep/link?x=%2Fy&z=1');
    await page.goto(deep);
    await confirm(page, deep, 'alice');
    assert.equal(await page.textContent('body'), 'app for keycloak:alice');
    await page.goto(url('open'));
    assert.equal(await page.textContent('body'), 'app for keycloak:alice', 'the other hosts follow by themselves');
  });

  test('max_age: a script and a WebSocket are told what is missing, and an open WebSocket closes', async () => {
    const page = await (await openContext(browser)).newPage();
    await signIn(page, url('recent'), 'bob');
    const visitor = await visitorOf(page);
    const options = {
      headers: { cookie: visitor.cookieHeader(url('recent')), host: `recent.localhost:${postern.https}` },
      origin: `https://recent.localhost:${postern.https}`,
      rejectUnauthorized: false,
      ...SERVER_NAME,
    };
    const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, options);
    await new Promise<void>((done) => {
      socket.on('open', () => socket.send('hello'));
      socket.on('message', () => done());
    });
    const closed = new Promise<number>((done) => {
      socket.on('close', () => done(Date.now()));
    });
    const openedAt = Date.now();
    socket.on('error', () => undefined);
    assert.ok((await closed) - openedAt <= (MAX_AGE_S + 10) * 1_000);
    await postern.waitFor('"reason":"sign-in-too-old"');
    const answer = await page.evaluate(async () => {
      const response = await fetch('/data', { method: 'POST' });
      return { status: response.status, body: (await response.json()) as unknown };
    });
    const told = answer.body as Record<string, unknown>;
    assert.equal(answer.status, 401);
    assert.deepEqual(
      [told['error'], told['max_age'], told['sign_in_url']],
      ['insufficient_user_authentication', MAX_AGE_S, `https://recent.localhost:${postern.https}/.postern/start`],
    );
    const refused = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, options);
    const response = await new Promise<{ statusCode?: number; headers: Record<string, unknown> }>((done) => {
      refused.on('unexpected-response', (_, got) => done(got as never));
    });
    assert.equal(response.statusCode, 401);
    assert.match(
      String(response.headers['www-authenticate']),
      new RegExp(`error="insufficient_user_authentication", max_age="${MAX_AGE_S}"`),
    );
    // The page that the script sends the person to.
    await page.goto(String(told['sign_in_url']));
    await confirm(page, url('recent'), 'bob');
    // Of who is signed in it is known when; of somebody else it is not.
    const bob = await postern.cli('explain', url('recent'), '--as', 'keycloak:user:bob');
    assert.match(bob.stdout, new RegExp(`require: max_age ${MAX_AGE_S}s: (?:not )?matched, signed in [0-9ms]+ ago`));
    const carol = await postern.cli('explain', url('recent'), '--as', 'keycloak:user:carol');
    assert.ok(carol.stdout.includes(`require: max_age ${MAX_AGE_S}s: not matched, when they signed in is not known`));
    assert.ok(carol.stdout.includes(`Asked for a sign-in that is less than ${MAX_AGE_S}s old`));
  });

  test('max_age: a local account types its password once more, and comes to where it wanted', async () => {
    const password = await addUser(postern, 'lea');
    const page = await (await openContext(browser, { viewport: { width: 390, height: 844 } })).newPage();
    await page.goto(url('mine', '/first'));
    await signInOn(page, 'lea', password);
    await page.waitForURL(url('mine', '/first'));
    await sleep(MAX_AGE_S * 1_000);
    await page.goto(url('mine', '/deep?x=1'));
    assert.match((await page.textContent('.note')) ?? '', /confirm that it is you/);
    await takePicture(page, 'step-up-password');
    await page.fill('input[name="password"]', password);
    await page.click('button[type=submit]');
    await page.waitForURL(url('mine', '/deep?x=1'));
    assert.equal(await page.textContent('body'), 'app for local:lea');
  });

  test('acr: Keycloak that names no such level gets a page that explains, not a loop', async () => {
    const page = await (await openContext(browser)).newPage();
    await signIn(page, url('open'), 'alice');
    await page.goto(url('vault'));
    // It asks once more, and then says what it can say.
    await page.fill('input[name="password"]', 'pw-alice');
    await page.click('#kc-login');
    await page.waitForURL(/\/\.postern\//);
    assert.match((await page.textContent('h1')) ?? '', /This page asks for more than your sign-in shows/);
    await takePicture(page, 'step-up-explained');
    await postern.waitFor(/Route asks for acr \\"gold\\", but \\"keycloak\\" did not say so: \\"acr\\" is/);
  });

  test('acr: Keycloak with levels asks for the second one, and only for the route that wants it', async () => {
    await addLevels(keycloak);
    const page = await (await openContext(browser)).newPage();
    await signIn(page, url('open'), 'carol');
    await page.goto(url('vault', '/safe?x=1'));
    await confirm(page, url('vault', '/safe?x=1'), 'carol');
    assert.equal(await page.textContent('body'), 'app for keycloak:carol');
    await page.goto(url('open'));
    assert.equal(await page.textContent('body'), 'app for keycloak:carol');
  });
});

/** Level 1 is name and password, level 2 the password once more; "silver" and "gold" are their names. */
async function addLevels(keycloak: Keycloak): Promise<void> {
  const { admin } = keycloak;
  const add = (flow: string, body: object): Promise<unknown> =>
    admin('POST', `/authentication/flows/${flow}/executions/${'alias' in body ? 'flow' : 'execution'}`, body);
  await admin('POST', '/authentication/flows', {
    alias: 'levels',
    providerId: 'basic-flow',
    topLevel: true,
    builtIn: false,
  });
  await add('levels', { provider: 'auth-cookie' });
  await add('levels', { alias: 'levels-forms', type: 'basic-flow', description: '' });
  for (const [level, form] of [
    ['1', 'auth-username-password-form'],
    ['2', 'auth-password-form'],
  ] as const) {
    await add('levels-forms', { alias: `level-${level}`, type: 'basic-flow', description: '' });
    await add(`level-${level}`, { provider: 'conditional-level-of-authentication' });
    await add(`level-${level}`, { provider: form });
  }
  const executions = (await admin('GET', '/authentication/flows/levels/executions')) as {
    readonly id: string;
    readonly displayName: string;
    readonly providerId?: string;
    requirement: string;
  }[];
  let level = 0;
  for (const one of executions) {
    const isForm = one.providerId?.endsWith('-form') ?? false;
    const isCondition = one.providerId === 'conditional-level-of-authentication';
    const other = one.displayName.startsWith('level-') ? 'CONDITIONAL' : 'ALTERNATIVE';
    one.requirement = isForm || isCondition ? 'REQUIRED' : other;
    await admin('PUT', '/authentication/flows/levels/executions', one);
    if (!isCondition) continue;
    const config = { 'loa-condition-level': String(++level), 'loa-max-age': level === 1 ? '36000' : '300' };
    await admin('POST', `/authentication/executions/${one.id}/config`, { alias: `level-${level}`, config });
  }
  await admin('PUT', '', { browserFlow: 'levels', attributes: { 'acr.loa.map': '{"silver":1,"gold":2}' } });
}
