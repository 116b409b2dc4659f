/**
 * The pages of `postern forward-auth` and the way through them, in a real browser: at phone and desktop width, light
 * and dark, in three languages, with and without JavaScript. Pictures are kept in test/output/.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { TLS_CERTIFICATE, TLS_KEY } from '../../../src/wire/_tls-fixture.ts';
import { startTwin, type Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { openBrowser, openContext, takePicture } from '../../support/browser.ts';
import { auditPage } from '../../support/page-audit.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { accepts, startProgram, until, type Program } from '../../support/programs.ts';

const POSTERN = resolve(import.meta.dirname, '../../../bin/postern');
const SIZES = [
  { width: 390, height: 844 },
  { width: 1280, height: 800 },
] as const;
/** With a script of its own, as such pages have them. */
const OWN_PAGE = `{{define "sign_in.html"}}<!DOCTYPE html><html lang="en"><title>Ours</title><h1>{{if eq .StatusCode 403}}Ours{{end}}</h1>
<form action="{{.ProxyPrefix}}/start"><input type="hidden" name="rd" value="{{.Redirect}}"><button>{{.ProviderName}}</button></form>
<script>document.getElementsByName('rd')[0].value += location.hash</script></html>{{end}}`;
/** Of "password". */
const HTPASSWD = 'alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n';

suite('the pages of forward-auth', { skip: skipWithout('chromium') }, () => {
  let dir: string;
  let twin: Twin;
  let app: Server;
  /** Somebody who is signed in at the provider: it sends them straight back. */
  let person: Server;
  let onVisit: (() => Promise<void>) | null = null;
  let browser: Browser;
  let plain: { readonly program: Program; readonly port: number };
  let branded: { readonly program: Program; readonly port: number };

  const start = async (settings: readonly string[], https = 0): Promise<{ program: Program; port: number }> => {
    const [port = 0] = await freePorts(1);
    const program = startProgram(POSTERN, [
      'forward-auth',
      '--provider=oidc',
      '--provider-display-name=Example ID',
      `--oidc-issuer-url=${twin.issuer}`,
      `--client-id=${twin.clientId}`,
      `--client-secret=${twin.clientSecret}`,
      '--cookie-secret=0123456789abcdef0123456789abcdef',
      '--cookie-secure=false',
      `--http-address=127.0.0.1:${port}`,
      `--upstream=http://127.0.0.1:${(app.address() as AddressInfo).port}/`,
      ...settings,
    ]);
    await until(() => accepts(https === 0 ? port : https), `Postern listens; it said ${program.output()}`);
    return { program, port };
  };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'pages-'));
    writeFileSync(join(dir, 'htpasswd'), HTPASSWD);
    const mark =
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 20"><rect width="60" height="20" fill="#345"/></svg>';
    writeFileSync(join(dir, 'logo.svg'), mark);
    app = createServer((req, res) => {
      res.setHeader('Content-Type', 'text/html');
      res.end(`<title>app</title><h1>The app at ${(req.url ?? '').replaceAll('<', '')}</h1>`);
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    twin = await startTwin();
    person = createServer((req, res) => {
      const back = twin.visit(`http://provider.example${req.url ?? ''}`);
      void (onVisit?.() ?? Promise.resolve()).then(() => res.writeHead(302, { location: back }).end());
    });
    await new Promise<void>((done) => {
      person.listen(0, '127.0.0.1', done);
    });
    const authorize = `http://127.0.0.1:${(person.address() as AddressInfo).port}/authorize`;
    twin.describe = (metadata) => ({ ...metadata, authorization_endpoint: authorize });
    plain = await start(['--email-domain=*']);
    branded = await start([
      '--email-domain=example.com',
      '--email-domain=example.org',
      `--htpasswd-file=${join(dir, 'htpasswd')}`,
      `--custom-sign-in-logo=${join(dir, 'logo.svg')}`,
      '--footer=Trouble? Ask the <b>help desk</b>.',
    ]);
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await Promise.all([plain?.program.stop(), branded?.program.stop()]);
    await twin?.stop();
    for (const server of [app, person]) {
      server?.closeAllConnections();
      server?.close();
    }
    rmSync(dir, { recursive: true, force: true });
  });

  test('over HTTPS the cookie of a begun sign-in is a __Host- one, and pages of the operator’s own are shown', async () => {
    const templates = mkdtempSync(join(dir, 'templates-'));
    writeFileSync(join(templates, 'sign_in.html'), OWN_PAGE);
    writeFileSync(join(templates, 'robots.txt'), 'User-agent: *\nAllow: /\n');
    writeFileSync(join(dir, 'cert.pem'), TLS_CERTIFICATE);
    writeFileSync(join(dir, 'key.pem'), TLS_KEY);
    const [https = 0] = await freePorts(1);
    const secure = await start(
      [
        '--email-domain=*',
        `--https-address=127.0.0.1:${https}`,
        `--tls-cert-file=${join(dir, 'cert.pem')}`,
        `--tls-key-file=${join(dir, 'key.pem')}`,
        `--custom-templates-dir=${templates}`,
        '--cookie-secure=true',
      ],
      https,
    );
    try {
      const base = `https://app.localhost:${https}`;
      expectFrom(0);
      twin.redirectUri = `${base}/oauth2/callback`;
      const { page } = await openTab();
      await page.goto(`${base}/deep?x=1#part`);
      assert.equal(await page.textContent('h1'), 'Ours');
      let names: readonly string[] = [];
      onVisit = async () => {
        names = (await page.context().cookies()).map(({ name }) => name);
      };
      await page.click('button');
      await page.waitForURL(`${base}/deep?x=1#part`);
      assert.match(names.join(), /__Host-_oauth2_proxy_[\w-]{8}_csrf/);
      assert.deepEqual(
        (await page.context().cookies()).map(({ name }) => name),
        ['_oauth2_proxy'],
      );
      await page.goto(`${base}/robots.txt`);
      assert.match((await page.textContent('body')) ?? '', /Allow: \//);
    } finally {
      onVisit = null;
      await secure.program.stop();
    }
  });

  const at = (port: number, path: string): string => `http://app.localhost:${port}${path}`;

  const openTab = async (options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: string[] }> => {
    const context = await openContext(browser, options);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // The page's own status; it loads nothing else.
      const isOwnStatus = message.text().startsWith('Failed to load resource: the server responded');
      if (['error', 'warning'].includes(message.type()) && !isOwnStatus) complaints.push(message.text());
    });
    return { page, complaints };
  };

  const look = async (tab: { page: Page; complaints: string[] }, name: string, heading: RegExp): Promise<void> => {
    const wrong: string[] = [];
    await tab.page.locator('h1', { hasText: heading }).first().waitFor();
    for (const size of SIZES) {
      await tab.page.setViewportSize(size);
      for (const colorScheme of ['light', 'dark'] as const) {
        await tab.page.emulateMedia({ colorScheme });
        const audit = await tab.page.evaluate(auditPage);
        const variant = `forward-auth-${name}-${size.width}-${colorScheme}`;
        assert.match(audit.heading, heading, `heading of ${variant} at ${tab.page.url()}`);
        for (const problem of audit.problems) wrong.push(`${variant} ${problem}`);
        await takePicture(tab.page, variant);
      }
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(tab.complaints, []);
  };

  /** The twin registers one callback. */
  const expectFrom = (port: number): void => {
    twin.redirectUri = at(port, '/oauth2/callback');
    twin.error = null;
    twin.claims = { sub: 'sub-alice', preferred_username: 'alice', email: 'alice@example.com', email_verified: true };
  };

  test('the button leads through the provider to the deep link, query and "#" included', async () => {
    expectFrom(plain.port);
    const tab = await openTab();
    const link = at(plain.port, '/a%20b/c%2Fd?x=%26&b=2#part-3');
    const answer = await tab.page.goto(link);
    assert.equal(answer?.status(), 403);
    await look(tab, 'sign-in', /^Sign in$/);
    await tab.page.click('button');
    await tab.page.waitForURL(link);
    assert.match((await tab.page.textContent('h1')) ?? '', /The app at \/a%20b\/c%2Fd\?x=%26&b=2/);
  });

  test('it works without JavaScript, where only "#" is lost', async () => {
    expectFrom(plain.port);
    const { page } = await openTab({ javaScriptEnabled: false });
    await page.goto(at(plain.port, '/deep?x=1&b=2#part'));
    await page.click('button');
    await page.waitForURL((url) => url.pathname === '/deep' && url.search === '?x=1&b=2');
  });

  test('two tabs that began at once both land where they wanted', async () => {
    expectFrom(plain.port);
    const { page: one } = await openTab();
    const other = await one.context().newPage();
    await one.goto(at(plain.port, '/one'));
    await other.goto(at(plain.port, '/two'));
    await Promise.all([one.click('button'), other.click('button')]);
    await one.waitForURL(at(plain.port, '/one'));
    await other.waitForURL(at(plain.port, '/two'));
  });

  for (const [language, heading] of [
    ['ko', /로그인/],
    ['zh-CN', /登录/],
  ] as const) {
    test(`the pages speak ${language}`, async () => {
      expectFrom(branded.port);
      const tab = await openTab({ locale: language });
      await tab.page.goto(at(branded.port, '/oauth2/sign_in'));
      await look(tab, `password-${language}`, heading);
      await tab.page.goto(at(branded.port, '/oauth2/callback?error=access_denied'));
      await look(tab, `refused-${language}`, heading);
    });
  }

  test('the password form says what is wrong, then lets in', async () => {
    const tab = await openTab();
    await tab.page.goto(at(branded.port, '/deep?x=1#part'));
    await look(tab, 'password', /^Sign in$/);
    await tab.page.fill('#username', 'alice');
    await tab.page.fill('#password', 'wrong');
    await tab.page.click('form[method=post] button');
    await tab.page.waitForSelector('[role=alert]');
    assert.equal(await tab.page.inputValue('#username'), 'alice');
    await look(tab, 'password-wrong', /^Sign in$/);
    await tab.page.fill('#password', 'password');
    await tab.page.click('form[method=post] button');
    await tab.page.waitForURL(at(branded.port, '/deep?x=1#part'));
  });

  test('whoever is not let in reads why, and can use another account', async () => {
    expectFrom(branded.port);
    twin.claims = { ...twin.claims, email: 'mallory@elsewhere.example' };
    const tab = await openTab();
    await tab.page.goto(at(branded.port, '/deep'));
    await tab.page.click('form[method=get] button');
    await look(tab, 'not-admitted', /not let in/);
    assert.match((await tab.page.textContent('main')) ?? '', /mallory@elsewhere\.example/);
    expectFrom(branded.port);
    await tab.page.click('a.button');
    await tab.page.waitForURL(at(branded.port, '/deep'));
    assert.equal(twin.authorizations.at(-1)?.get('prompt'), 'login');
  });

  test('a sign-in whose cookie is gone says so, and a click begins anew', async () => {
    expectFrom(plain.port);
    const tab = await openTab();
    onVisit = () => tab.page.context().clearCookies();
    await tab.page.goto(at(plain.port, '/deep?x=1'));
    await tab.page.click('button');
    await look(tab, 'cookie-missing', /could not be finished/);
    onVisit = null;
    await tab.page.click('a.button');
    await tab.page.waitForURL(at(plain.port, '/deep?x=1'));
  });

  test('who signs out at the provider is signed out here (back-channel logout)', async () => {
    expectFrom(plain.port);
    twin.claims = { ...twin.claims, sid: 'sid-7' };
    const tab = await openTab();
    await tab.page.goto(at(plain.port, '/deep'));
    await tab.page.click('button');
    await tab.page.waitForURL(at(plain.port, '/deep'));
    const call = (token: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${plain.port}/oauth2/backchannel-logout`, {
        method: 'POST',
        body: new URLSearchParams({ logout_token: token }),
      });
    assert.equal((await call(twin.signLogout({ sid: 'another' }))).status, 200);
    assert.equal((await tab.page.goto(at(plain.port, '/deep')))?.status(), 200);
    const token = twin.signLogout({ sid: 'sid-7' });
    assert.equal((await call(token)).status, 200);
    assert.equal((await tab.page.goto(at(plain.port, '/deep')))?.status(), 403);
    assert.equal((await call(token)).status, 400, 'it counts once');
  });

  test('other pages: refused by the provider, provider down, broken address, sign-out', async () => {
    expectFrom(plain.port);
    const tab = await openTab();
    await tab.page.goto(at(plain.port, '/oauth2/callback?error=access_denied'));
    await look(tab, 'refused', /not signed in/);
    await tab.page.goto(at(plain.port, '/oauth2/start?rd=%zz'));
    await look(tab, 'unreadable', /cannot be read/);
    await tab.page.goto(at(plain.port, '/oauth2/callback'));
    await look(tab, 'incomplete', /Nothing to finish/);
    twin.tokenError = { status: 503, body: {} };
    await tab.page.goto(at(plain.port, '/oauth2/start'));
    await look(tab, 'unavailable', /not available/);
    twin.tokenError = null;
    await tab.page.reload();
    assert.match(tab.page.url(), /\/$/, 'a reload takes the same code once the provider answers');
    await tab.page.goto(at(plain.port, '/oauth2/sign_out'));
    await look(tab, 'signed-out', /^Sign in$/);
  });
});
