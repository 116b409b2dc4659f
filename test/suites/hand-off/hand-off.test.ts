/**
 * Attacks on the hand-off in a real browser: an app that does evil beside another one tosses cookies,
 * registers service workers, frames and posts across sites. And an honest app whose service worker
 * stands in the way of every navigation can still be signed in to.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openBrowser, openContext, signInOn } from '../../support/browser.ts';
import { skipWithout } from '../../support/peers.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

const skip = skipWithout('chromium');
const NAMES = ['app', 'evil', 'pwa'] as const;
type Name = (typeof NAMES)[number];

/** Passes every request on, navigations included, as many installable web apps do. */
const WORKER = `self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)));`;

interface Seen {
  readonly url: string;
  readonly referer: string;
  readonly cookie: string;
}

suite('attacks on the hand-off in a browser', { skip }, () => {
  let browser: Browser;
  let postern: PosternProcess;
  let password = '';
  const apps = new Map<Name, Server>();
  const seen: Seen[] = [];
  /** What the evil app sends as Set-Cookie, by HTTP. */
  const tossed: string[] = [];

  const urlOf = (name: Name | 'auth', path = '/'): string => `https://${name}.site.localhost:${postern.https}${path}`;

  function portOf(name: Name): number {
    const address = apps.get(name)?.address() as AddressInfo | null | undefined;
    return address?.port ?? 0;
  }

  function serve(name: Name, req: IncomingMessage, res: ServerResponse): void {
    seen.push({ url: req.url ?? '', referer: req.headers.referer ?? '', cookie: req.headers.cookie ?? '' });
    if (req.url === '/sw.js' || req.url === '/deep/sw.js') {
      res.writeHead(200, { 'content-type': 'text/javascript', 'service-worker-allowed': '/' });
      res.end(WORKER);
      return;
    }
    const cookies = name === 'evil' && tossed.length > 0 ? { 'set-cookie': tossed } : {};
    res.writeHead(200, { 'content-type': 'text/html', ...cookies });
    res.end(
      `<!doctype html><title>${name}</title><p id="who">${String(req.headers['x-postern-user'] ?? req.headers['x-forwarded-user'] ?? '')}`,
    );
  }

  before(async () => {
    for (const name of NAMES) {
      const app = createServer((req, res) => serve(name, req, res));
      await new Promise<void>((done) => {
        app.listen(0, '127.0.0.1', done);
      });
      apps.set(name, app);
    }
    postern = await startPostern({
      document: (ports) => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: off }
providers: { local: { type: local } }
sign_in: { url: "https://auth.site.localhost:${ports.https}" }
hosts:
${NAMES.map((name) => `  ${name}.site.localhost: { to: "http://127.0.0.1:${portOf(name)}", allow: [signed-in] }`).join('\n')}
`,
    });
    password = await addUser(postern, 'alice');
    // Service workers want a certificate that the browser trusts, whatever a context ignores.
    browser = await openBrowser('--ignore-certificate-errors');
  });

  after(async () => {
    await browser.close();
    await postern.close();
    for (const app of apps.values()) {
      app.closeAllConnections();
      app.close();
    }
  });

  async function signedIn(name: Name, path = '/'): Promise<{ context: BrowserContext; page: Page }> {
    const context = await openContext(browser);
    const page = await context.newPage();
    await page.goto(urlOf(name, path));
    await signInOn(page, 'alice', password);
    await page.waitForURL(urlOf(name, path));
    return { context, page };
  }

  const ownCookies = async (context: BrowserContext): Promise<{ name: string; domain: string }[]> =>
    (await context.cookies()).filter(({ name }) => name.includes('postern-'));

  test('a page behind a service worker that passes navigations on is signed in to again, deep link and all', async () => {
    const { context, page } = await signedIn('pwa', '/deep/link?q=1&q=2');
    await page.evaluate(async () => {
      await navigator.serviceWorker.register('/sw.js');
      await navigator.serviceWorker.ready;
    });
    await page.goto(urlOf('pwa', '/controlled'));
    assert.ok(await page.evaluate(() => navigator.serviceWorker.controller !== null));
    assert.equal((await postern.cli('sessions', 'revoke', '--user', 'alice')).code, 0);
    const deep = urlOf('pwa', '/deep/link?a=%26&b=+&c');
    await page.goto(deep);
    await page.waitForURL((at) => at.href.startsWith(urlOf('auth', '/.postern/sign-in?ticket=')));
    await signInOn(page, 'alice', password);
    await page.waitForURL(deep);
    assert.equal(await page.title(), 'pwa');
    // What its scripts fetch is told, never redirected.
    await postern.cli('sessions', 'revoke', '--user', 'alice');
    const status = await page.evaluate(async () => (await fetch('/data', { redirect: 'error' })).status);
    assert.equal(status, 401);
    await context.close();
  });

  test('no app gets a service worker under /.postern, and none of ours is a script', async () => {
    const { context, page } = await signedIn('evil');
    for (const path of ['/.postern/userinfo', '/.postern/sw.js', '/.postern/land', '/.postern/sign-out']) {
      const outcome = await page.evaluate(async (script) => {
        return navigator.serviceWorker.register(script).then(
          () => 'registered',
          (error: unknown) => String(error),
        );
      }, path);
      assert.match(outcome, /bad HTTP response code \(403\)/, path);
    }
    assert.deepEqual(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
    await context.close();
  });

  test('a worker over the whole of an evil app’s host learns no session and reaches no other host', async () => {
    const { context, page } = await signedIn('evil');
    await page.evaluate(async () => {
      await navigator.serviceWorker.register('/sw.js', { scope: '/' });
      await navigator.serviceWorker.ready;
    });
    await page.goto(urlOf('evil', '/.postern/sign-out'));
    assert.equal(await page.evaluate(() => document.cookie), '');
    await page.goto(urlOf('app', '/x'));
    assert.equal(await page.title(), 'app');
    assert.equal(await page.evaluate(() => navigator.serviceWorker.controller), null);
    await context.close();
  });

  test('cookie tossing: whatever a neighbour sets under our names, by script or by header, nobody is signed in or out by it', async () => {
    const { context, page } = await signedIn('app', '/mine');
    const own = (await ownCookies(context)).filter(({ domain }) => domain === 'app.site.localhost');
    const name = own.find((it) => /^__Host-postern-[a-z0-9]+$/.test(it.name))?.name ?? assert.fail('no session cookie');
    const evil = await context.newPage();
    const spellings = [
      name,
      name.replace('__Host-', ''),
      name.toLowerCase(),
      `\u00a0${name}`,
      `${name}\u00a0`,
      ` ${name}`,
      `${name}-pre`,
    ];
    for (const one of spellings)
      tossed.push(`${Buffer.from(one).toString('latin1')}=${'A'.repeat(43)}; Domain=site.localhost; Path=/; Secure`);
    tossed.push(
      `=${name}=${'B'.repeat(43)}; Domain=site.localhost; Path=/; Secure`,
      `\u00a0${name}=${'C'.repeat(43)}; Domain=site.localhost; Path=/; Secure`,
    );
    await evil.goto(urlOf('evil', '/toss'));
    await evil.evaluate((names) => {
      for (const one of names) {
        for (const path of ['/', '/mine', '/.postern'])
          document.cookie = `${one}=${'D'.repeat(43)}; Domain=site.localhost; Path=${path}; Secure`;
      }
      document.cookie = `=${names[0]}=${'E'.repeat(43)}; Domain=site.localhost; Path=/; Secure`;
    }, spellings);
    tossed.length = 0;
    // Some did arrive, or this shows nothing.
    assert.ok(
      (await ownCookies(context)).some(({ domain }) => domain === '.site.localhost'),
      'no cookie was tossed',
    );
    await page.goto(urlOf('app', '/mine'));
    assert.equal(await page.title(), 'app');
    const userinfo = await page.evaluate(
      async () => (await (await fetch('/.postern/userinfo')).json()) as { name: string },
    );
    assert.equal(userinfo.name, 'alice');
    // And a sign-in under the storm still ends where it should.
    await postern.cli('sessions', 'revoke', '--user', 'alice');
    await page.goto(urlOf('app', '/mine?again'));
    await signInOn(page, 'alice', password);
    await page.waitForURL(urlOf('app', '/mine?again'));
    await context.close();
  });

  test('a frame, a cross-site form and a fetch of a neighbour start no sign-in and end no session', async () => {
    const { context, page } = await signedIn('app', '/mine');
    const evil = await context.newPage();
    await evil.goto(urlOf('evil', '/frames'));
    const port = String(postern.https);
    await evil.evaluate(async (at) => {
      const addFrame = (url: string): Promise<void> =>
        new Promise((done) => {
          const frame = document.createElement('iframe');
          frame.addEventListener('load', () => done());
          frame.src = url;
          document.body.append(frame);
        });
      await addFrame(`https://auth.site.localhost:${at}/.postern/sign-in`);
      await addFrame(`https://auth.site.localhost:${at}/`);
      await addFrame(`https://app.site.localhost:${at}/.postern/sign-out`);
    }, port);
    // Chromium shows its own error page for what may not be framed.
    const shown = evil
      .frames()
      .slice(1)
      .map((frame) => frame.url());
    assert.ok(
      shown.every((url) => url.startsWith('chrome-error://')),
      shown.join(' '),
    );
    await evil.evaluate((at) => {
      const form = document.createElement('form');
      form.method = 'post';
      form.action = `https://app.site.localhost:${at}/.postern/sign-out`;
      form.innerHTML = '<input name="everywhere" value="1"><input name="form" value="x">';
      document.body.append(form);
      form.submit();
    }, port);
    await evil.waitForURL(urlOf('app', '/.postern/sign-out'));
    assert.match((await evil.textContent('h1')) ?? '', /./);
    await page.goto(urlOf('app', '/mine'));
    assert.equal(await page.title(), 'app');
    await context.close();
  });

  test('neither a code nor a ticket nor one of our cookies reaches an app, by Referer or otherwise', async () => {
    seen.length = 0;
    const { context } = await signedIn('app', '/fresh?q=1');
    assert.ok(seen.some(({ url }) => url === '/fresh?q=1'));
    for (const { url, referer, cookie } of seen) {
      assert.doesNotMatch(url + referer, /code=|ticket=|flow=|\.postern/);
      assert.doesNotMatch(cookie, /postern-/);
    }
    await context.close();
  });
});
