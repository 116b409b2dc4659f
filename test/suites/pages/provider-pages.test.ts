/**
 * The pages on the way to a provider and back, with the brand of the document, in the three languages: the page to
 * choose on, and what a provider's answer can lead to. In a real browser at phone and desktop width, light and dark,
 * with and without JavaScript; nothing cut off, hard to read, or refused by the page's own policy.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startTwin, type Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { arrive, openBrowser, openContext, takePicture } from '../../support/browser.ts';
import { freePorts } from '../../support/free-ports.ts';
import { auditPage } from '../../support/page-audit.ts';
import { skipWithout } from '../../support/peers.ts';
import { startPostern, type PosternProcess } from '../../support/postern.ts';

const skip = skipWithout('chromium');
const SIZES = [
  { width: 320, height: 640 },
  { width: 1280, height: 800 },
] as const;
const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="#b3123d"/></svg>`;
/** By language: the page to choose on, and what is said of each answer of the provider. */
const WORDS = {
  'en-US': {
    choose: /sign in/i,
    unavailable: /not available/,
    denied: /did not sign you in/,
    scope: /./,
    refused: /access/i,
    asks: /./,
  },
  'ko-KR': {
    choose: /로그인/,
    unavailable: /[가-힣]/,
    denied: /[가-힣]/,
    scope: /[가-힣]/,
    refused: /권한/,
    asks: /[가-힣]/,
  },
  'zh-CN': {
    choose: /登录/,
    unavailable: /[一-鿿]/,
    denied: /[一-鿿]/,
    scope: /[一-鿿]/,
    refused: /权限/,
    asks: /[一-鿿]/,
  },
} as const;

suite('the pages on the way to a provider', { skip }, () => {
  let twin: Twin;
  let postern: PosternProcess;
  let browser: Browser;
  let alice: Twin['claims'];
  const contexts: BrowserContext[] = [];

  before(async () => {
    twin = await startTwin();
    const [dead = 0] = await freePorts(1);
    postern = await startPostern({
      files: { 'logo.svg': LOGO },
      env: { TWIN_SECRET: twin.clientSecret },
      document: ({ https, http, health }) => `version: 1
listen: { http: "127.0.0.1:${http}", https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: 1
providers:
  company: { type: oidc, name: Company account, issuer: "${twin.issuer}", client_id: ${twin.clientId}, client_secret: "\${TWIN_SECRET}", email_domains: [example.com] }
  partner: { type: oidc, name: Partner, issuer: "http://127.0.0.1:${dead}", client_id: a, client_secret: b }
  local: { type: local }
sign_in: { url: "https://auth.localhost:${https}", name: Acme Gate, logo: logo.svg, color: "#b3123d", show_rule_to: ["company:user:olga"] }
hosts:
  app.localhost: { to: "app:whoami", allow: ["company:signed-in", "partner:signed-in", "local:signed-in"] }
  staff.localhost: { to: "app:whoami", allow: ["company:group:staff"] }
  expr.localhost: { to: "app:whoami", allow: [{ when: 'user.provider == "company" && "staff" in user.groups' }] }
  mail.localhost: { to: "app:whoami", allow: ["company:email-domain:example.com"] }
  rooms.localhost:
    allow: ["company:signed-in"]
    routes: [{ when: ["company:group:staff"], respond: { status: 200, body: "the staff room" } }]
  vault.localhost: { to: "app:whoami", allow: ["company:signed-in"], require: second-factor }
`,
    });
    twin.redirectUri = `https://auth.localhost:${postern.https}/.postern/callback/company`;
    // Whoever comes is signed in at once.
    alice = { ...twin.claims, name: 'Alice Liddell', groups: ['guests'] };
    twin.people = new Map([['', alice]]);
    browser = await openBrowser();
  });
  after(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    await browser?.close();
    await postern?.close();
    await twin?.stop();
  });

  const at = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;

  const open = async (locale: string, javaScriptEnabled = true): Promise<{ page: Page; complaints: string[] }> => {
    const context = await openContext(browser, { locale, javaScriptEnabled });
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

  const look = async (
    { page, complaints }: { page: Page; complaints: readonly string[] },
    name: string,
    heading: RegExp,
  ): Promise<void> => {
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
        await takePicture(page, variant);
      }
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(complaints, []);
    assert.match(await page.title(), /Acme Gate/, 'the brand of the document');
  };

  const goBy = async (page: Page, label: string, url: string): Promise<void> => {
    await page.goto(url);
    await page.click(`main a:has-text("${label}")`);
    await arrive(page);
  };

  for (const [locale, words] of Object.entries(WORDS)) {
    test(`in ${locale}`, { timeout: 300_000 }, async () => {
      const tab = await open(locale);
      const { page } = tab;
      await page.goto(at('app', '/deep?x=1#part'));
      await look(tab, `provider-${locale}-choose`, words.choose);
      await page.click(`main a:has-text("Partner")`);
      await look(tab, `provider-${locale}-unavailable`, words.unavailable);

      twin.error = 'access_denied';
      await goBy(page, 'Company account', at('app'));
      await look(tab, `provider-${locale}-denied`, words.denied);
      twin.error = 'invalid_scope';
      await goBy(page, 'Company account', at('app'));
      await look(tab, `provider-${locale}-scope`, words.scope);
      twin.error = null;
      twin.tamper = ({ header, claims }) => ({ header, claims: { ...claims, aud: 'another' } });
      await goBy(page, 'Company account', at('app'));
      await look(tab, `provider-${locale}-invalid`, words.asks);
      twin.tamper = (parts) => parts;

      await goBy(page, 'Company account', at('app', '/deep?x=1'));
      assert.equal(page.url(), at('app', '/deep?x=1'));
      await page.goto(at('staff'));
      await look(tab, `provider-${locale}-refused`, words.refused);
      assert.equal(await page.locator('main .note').count(), 0, 'the provider named groups');
      assert.match((await page.textContent('main .who')) ?? '', /Company account/, 'whose account it is');

      // Whose provider said nothing of groups: what to change there is for whoever may know the rules.
      for (const [name, notes] of [
        ['bob', 1],
        ['olga', 2],
      ] as const) {
        twin.people = new Map([['', { sub: `sub-${name}`, preferred_username: name, name }]]);
        await goBy(page, 'Company account', at('staff', '/.postern/start?switch=1'));
        await look(tab, `provider-${locale}-unsaid-${name}`, words.refused);
        assert.equal(await page.locator('main .note').count(), notes);
        assert.equal(((await page.textContent('main')) ?? '').includes('groups_claim'), notes === 2);
        await page.goto(at('staff'));
        assert.equal(await page.locator('main .note').count(), notes, 'the same of the app host');
        for (const host of ['expr', 'mail', 'rooms']) {
          await page.goto(at(host));
          assert.equal(await page.locator('main .note').count(), notes, `of ${host}`);
          assert.equal(((await page.textContent('main')) ?? '').includes('providers.company'), notes === 2);
          await page.goto(at(host));
          assert.equal(await page.locator('main .note').count(), notes, `of ${host}, by its own word`);
          if (host !== 'expr') await look(tab, `provider-${locale}-unsaid-${host}-${name}`, /./);
        }
      }
      twin.people = new Map([['', alice]]);
      await goBy(page, 'Company account', at('app', '/.postern/start?switch=1'));
      await page.goto(at('vault'));
      await arrive(page);
      await look(tab, `provider-${locale}-no-second-factor`, words.asks);
      assert.match((await page.textContent('main')) ?? '', /Alice Liddell/);
      assert.equal(await page.locator('main a[href*="switch=1"]').count(), 1, 'another account may have one');
      await page.goto(at('auth', '/.postern/security'));
      await look(tab, `provider-${locale}-security`, words.asks);
      assert.match((await page.textContent('main')) ?? '', /Company account/);
    });
  }

  test('what stands after "#" survives the choice', { timeout: 300_000 }, async () => {
    const { page } = await open('en-US');
    await page.goto(at('app', '/deep?x=1#part'));
    await page.click(`main a:has-text("Company account")`);
    await arrive(page);
    assert.equal(page.url(), at('app', '/deep?x=1#part'));
  });

  test('choosing, signing in and being refused work without JavaScript', { timeout: 300_000 }, async () => {
    const { page, complaints } = await open('en-US', false);
    await page.goto(at('app', '/deep?x=1'));
    await page.click(`main a:has-text("Company account")`);
    await arrive(page);
    assert.equal(page.url(), at('app', '/deep?x=1'));
    await page.goto(at('staff'));
    assert.match((await page.textContent('main')) ?? '', /Alice Liddell/);
    await page.click('main a.button');
    assert.match((await page.textContent('main')) ?? '', /Company account[\s\S]*Partner/);
    assert.deepEqual(complaints, []);
  });
});
