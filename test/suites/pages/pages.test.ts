/**
 * Every page that people see, through the running product in a real browser: at phone and desktop width,
 * light and dark, without anything cut off, unlabelled, hard to read, or refused by the page's own policy.
 * Pictures are kept in test/output/ to be looked at.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openBrowser, openContext, signInOn, takePicture } from '../../support/browser.ts';
import { auditPage } from '../../support/page-audit.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';

const skip = skipWithout('chromium');
/** As long as a name can be: 63 octets a label (RFC 1035 section 2.3.4). */
const LONG_HOST = `${'long-name-'.repeat(6)}abc.${'another-'.repeat(7)}label.localhost`;
const LONG_NAMES = [
  ['arabic', 'محمد بن عبد الله الخوارزمي (الإدارة)'],
  ['chinese', '欧阳震华欧阳震华欧阳震华欧阳震华欧阳震华欧阳震华'],
  ['unbroken', 'W'.repeat(120)],
] as const;
const SIZES = [
  { width: 320, height: 640 },
  { width: 390, height: 844 },
  { width: 1280, height: 800 },
] as const;

suite('the pages that people see', { skip }, () => {
  let postern: PosternProcess;
  let browser: Browser;
  let silent: Server;
  const contexts: BrowserContext[] = [];
  const passwords = new Map<string, string>();

  before(async () => {
    silent = createServer(() => undefined);
    await new Promise<void>((done) => {
      silent.listen(0, '127.0.0.1', done);
    });
    const silentPort = (silent.address() as AddressInfo).port;
    const [dead = 0] = await freePorts(1);
    postern = await startPostern({
      document: ({ https, http, health }) => `version: 1
listen: { http: "127.0.0.1:${http}", https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: 1
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  whoami.localhost:
    allow: ["group:staff"]
    paths:
      "/*": { to: "app:whoami" }
      "/dead/*": { to: "http://127.0.0.1:${dead}", max_fails: 0 }
      "/aside/*": { to: "http://127.0.0.1:${dead}", health: { path: /, interval: 1s, fails: 1 } }
      "/silent/*": { to: "http://127.0.0.1:${silentPort}", first_byte_timeout: 500ms }
      "/circle/*": { to: "https://127.0.0.1:${https}", upstream_tls: { verify: false, server_name: whoami.localhost } }
  open.localhost: { to: "app:whoami", allow: [public] }
  only.localhost: { paths: { "/here": { respond: here, allow: [public] } } }
  office.localhost: { respond: here, allow: ["ip:192.0.2.0/24"] }
  machines.localhost: { respond: here, allow: ["service:ci"] }
  ${LONG_HOST}: { to: "app:whoami", allow: ["group:staff"] }
services: { ci: { password: "$2a$05$WnISqYUMNkFN6z8o2QglZOaCDtbsdunXCFe/8yDlm85RmjNkM8cvC" } }
`,
    });
    passwords.set('alice', await addUser(postern, 'alice', ['staff', 'administrators']));
    passwords.set('mallory', await addUser(postern, 'mallory'));
    const groups = ['staff', ...Array.from({ length: 60 }, (_, i) => `/company/division-${i}/team`), 'x'.repeat(128)];
    for (const [name, displayName] of LONG_NAMES)
      passwords.set(name, await addUser(postern, name, groups, ['--display-name', displayName]));
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await postern?.close();
    silent?.closeAllConnections();
    silent?.close();
  });

  const at = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;

  /** A tab whose console must stay silent but for the status of the page itself. */
  const openTab = async (locale = 'en-US'): Promise<{ page: Page; complaints: string[] }> => {
    const context = await openContext(browser, { locale });
    contexts.push(context);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      const isOwnStatus = message.text().startsWith('Failed to load resource') && message.location().url === page.url();
      if (['error', 'warning'].includes(message.type()) && !isOwnStatus) complaints.push(message.text());
    });
    return { page, complaints };
  };

  /** Looks at the page in every size and scheme without loading it again. */
  const look = async (tab: { page: Page; complaints: string[] }, name: string, heading: RegExp): Promise<void> => {
    const { page, complaints } = tab;
    const wrong: string[] = [];
    await page.locator('h1', { hasText: heading }).first().waitFor();
    for (const size of SIZES) {
      await page.setViewportSize(size);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const audit = await page.evaluate(auditPage);
        const variant = `${name}-${size.width}-${colorScheme}`;
        assert.match(audit.heading, heading, `heading of ${variant} at ${page.url()}`);
        for (const problem of audit.problems) wrong.push(`${variant} ${problem}`);
        if (size.width > 320) await takePicture(page, variant);
      }
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(complaints, []);
  };

  const signInAs = async (page: Page, name: string): Promise<void> => signInOn(page, name, passwords.get(name) ?? '');

  test('a new account sets its password and is at home', { timeout: 300_000 }, async () => {
    const added = await postern.cli('user', 'add', 'nora', '--group', 'staff', '--print-link');
    const link = /https?:\/\/\S+/.exec(added.stdout)?.[0] ?? '';
    const tab = await openTab();
    await tab.page.goto(link);
    await look(tab, 'set-password', /Choose a password/);
    await tab.page.fill('#password', 'a long enough one');
    await tab.page.fill('#again', 'another long one');
    await tab.page.click('button[type=submit]');
    await tab.page.waitForSelector('[role=alert]');
    await look(tab, 'set-password-differ', /Choose a password/);
    await tab.page.fill('#password', 'a long enough one');
    await tab.page.fill('#again', 'a long enough one');
    await tab.page.click('button[type=submit]');
    await tab.page.waitForSelector('[role=status]');
    await look(tab, 'home-first', /You are signed in/);
    await tab.page.goto(link);
    await look(tab, 'set-password-gone', /no longer works/);
  });

  test('a person signs in, is at home, and signs out', { timeout: 300_000 }, async () => {
    const tab = await openTab();
    const { page } = tab;
    await page.goto(at('whoami', '/some/where?q=1&r=%2F'));
    await page.waitForSelector('#name:focus');
    await look(tab, 'sign-in', /^Sign in$/);
    await signInOn(page, 'alice', 'not the password');
    await page.waitForSelector('[role=alert]');
    assert.equal(await page.inputValue('#name'), 'alice');
    await look(tab, 'sign-in-wrong', /^Sign in$/);
    await signInAs(page, 'alice');
    await page.waitForURL(at('whoami', '/some/where?q=1&r=%2F'));
    await page.waitForSelector('.dot.on');
    await page.fill('#live-text', 'hello');
    await page.click('#live-form button');
    await page.waitForFunction(() => document.querySelector('#live-log')?.textContent?.includes('hello') === true);
    await look(tab, 'whoami', /Who am I/);
    await page.goto(at('auth'));
    await look(tab, 'home', /You are signed in/);
    await page.goto(at('auth', '/.postern/security'));
    await look(tab, 'security', /./);
    await page.goto(at('whoami', '/.postern/sign-out'));
    await look(tab, 'sign-out', /Sign out\?/);
    await page.click('button:not([name])');
    await page.waitForURL(/signed-out/);
    await look(tab, 'signed-out', /You are signed out/);
    await page.goto(at('whoami'));
    await page.waitForSelector('#password');
  });

  test('who may not gets the 403 page and can take another account', { timeout: 300_000 }, async () => {
    const tab = await openTab();
    const { page } = tab;
    await page.goto(at('whoami'));
    await signInAs(page, 'mallory');
    await page.waitForSelector('text=mallory');
    await look(tab, 'denied', /No access/);
    await page.click('text=Use another account');
    await page.waitForSelector('#password');
    await look(tab, 'sign-in-switch', /^Sign in$/);
    await signInAs(page, 'alice');
    await page.waitForURL(at('whoami'));
    assert.equal((await page.goto(at('office')))?.status(), 403);
    await look(tab, 'denied-address', /No access/);
  });

  test('what goes wrong has a page of its own with a request id', { timeout: 300_000 }, async () => {
    const tab = await openTab();
    const { page } = tab;
    await page.goto(at('whoami'));
    await signInAs(page, 'alice');
    await page.waitForURL(at('whoami'));
    await until(async () => (await page.goto(at('whoami', '/aside/')))?.status() === 503, 'a health check fails');
    const faults: [status: number, name: string, url: string, heading: RegExp][] = [
      [400, 'encoded-slash', at('whoami', '/a%2Fb'), /This address cannot be used/],
      [404, 'no-route', at('only', '/elsewhere'), /Nothing here/],
      [404, 'no-host', `http://nobody.localhost:${postern.http}/`, /Nothing is served at this name/],
      [502, 'unreachable', at('whoami', '/dead/'), /does not answer/],
      [503, 'unhealthy', at('whoami', '/aside/'), /Not available right now/],
      [504, 'too-slow', at('whoami', '/silent/'), /takes too long/],
      [508, 'circle', at('whoami', '/circle/'), /points back to itself/],
      [400, 'landing', at('open', '/.postern/land?code=x&flow=y'), /cannot be finished here/],
      [404, 'own', at('auth', '/.postern/nothing'), /Nothing here/],
      [400, 'bad-ticket', at('auth', '/.postern/sign-in?ticket=x'), /not valid/],
    ];
    for (const [status, name, url, heading] of faults) {
      const answer = await page.goto(url);
      assert.equal(answer?.status(), status, `${name}: ${await page.title()}`);
      await look(tab, `${status}-${name}`, heading);
      assert.match((await page.textContent('footer')) ?? '', /Request [0-9a-z-]{8,}/, name);
    }
  });

  test('names of any length and script, and many groups, stay in place', { timeout: 300_000 }, async () => {
    for (const [name, displayName] of LONG_NAMES) {
      const tab = await openTab();
      const { page } = tab;
      await page.goto(`https://${LONG_HOST}:${postern.https}/${'deep'.repeat(60)}`);
      if (name === 'arabic') await look(tab, 'long-sign-in', /^Sign in$/);
      await signInAs(page, name);
      await page.waitForSelector('.dot.on');
      assert.equal(await page.textContent('.who .name'), displayName);
      await look(tab, `${name}-whoami`, /Who am I/);
      await page.goto(at('auth'));
      await page.click('summary');
      await look(tab, `${name}-home`, /You are signed in/);
      await page.goto(at('whoami', '/.postern/start?switch=1'));
      await page.waitForSelector('#password');
      await look(tab, `${name}-switch`, /^Sign in$/);
      await page.goto(`https://${LONG_HOST}:${postern.https}/.postern/sign-out`);
      await look(tab, `${name}-sign-out`, /Sign out\?/);
    }
  });

  for (const locale of ['ko-KR', 'zh-CN']) {
    test(`the pages in ${locale}`, { timeout: 300_000 }, async () => {
      const tab = await openTab(locale);
      const { page } = tab;
      await page.goto(at('whoami'));
      await signInOn(page, 'mallory', 'not the password');
      await page.waitForSelector('[role=alert]');
      await look(tab, `${locale}-sign-in`, /로그인|登录/);
      await signInAs(page, 'mallory');
      await page.waitForSelector('text=mallory');
      await look(tab, `${locale}-denied`, /권한|权限/);
      await page.goto(at('auth'));
      await look(tab, `${locale}-home`, /로그인|登录/);
      await page.goto(at('only', '/elsewhere'));
      await look(tab, `${locale}-404`, /없습니다|什么也没有/);
      await page.goto(at('open'));
      await page.waitForSelector('.dot.on');
      await look(tab, `${locale}-whoami`, /./);
    });
  }

  test('a sign-in that never sticks is explained, not repeated', { timeout: 300_000 }, async () => {
    const tab = await openTab();
    const { page } = tab;
    await page.goto(at('whoami', '/deep'));
    await signInAs(page, 'alice');
    await page.waitForURL(at('whoami', '/deep'));
    for (let round = 0; round < 6 && (await page.textContent('h1')) === 'Who am I'; round++) {
      await page.context().clearCookies({ domain: 'whoami.localhost' });
      await page.goto(at('whoami', '/deep'));
    }
    await look(tab, 'loop', /goes round in circles/);
  });

  test('anonymous visitors of the whoami app see a page without a person', { timeout: 300_000 }, async () => {
    const tab = await openTab();
    await tab.page.goto(at('open'));
    await tab.page.waitForSelector('.dot.on');
    await look(tab, 'whoami-anonymous', /Who am I/);
  });

  test('what stands after "#" survives sign-in, a wrong password and a second tab', { timeout: 300_000 }, async () => {
    const tab = await openTab();
    const link = at('whoami', '/board?x=%2F#/experiments/1?q=a%2Fb');
    await tab.page.goto(link);
    await signInOn(tab.page, 'alice', 'wrong');
    await tab.page.waitForSelector('[role="alert"]');
    await signInAs(tab.page, 'alice');
    await tab.page.waitForURL(link);
    const second = await tab.page.context().newPage();
    await second.goto(at('whoami', '/other#top'));
    assert.equal(second.url(), at('whoami', '/other#top'));
    await second.goto(at('whoami', '/plain'));
    assert.equal(second.url(), at('whoami', '/plain'), 'none is made up');
  });

  test('signing in, whoami and signing out work without script', { timeout: 300_000 }, async () => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
    contexts.push(context);
    const page = await context.newPage();
    await page.goto(at('whoami', '/plain'));
    await signInAs(page, 'alice');
    await page.waitForURL(at('whoami', '/plain'));
    assert.match((await page.textContent('.who')) ?? '', /alice/);
    await page.click('text=Sign out');
    await page.click('button:not([name])');
    await page.waitForURL(/signed-out/);
  });
});
