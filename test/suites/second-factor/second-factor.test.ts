/**
 * Second factors through the running product in a real browser: a route that asks for one, an
 * authenticator app, a passkey of Chromium's virtual authenticator, recovery, and the operator's reset.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { TOTP } from 'otpauth';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { openBrowser, openContext, signInOn, takePicture } from '../../support/browser.ts';
import { skipWithout } from '../../support/peers.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

const STEP_MS = 30_000;

suite('second factors', { skip: skipWithout('chromium') }, () => {
  let postern: PosternProcess;
  let browser: Browser;
  const passwords = new Map<string, string>();

  before(async () => {
    postern = await startPostern({
      document: ({ https, http, health }) => `version: 1
listen: { http: "127.0.0.1:${http}", https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: 1
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  open.localhost: { to: "app:whoami", allow: [signed-in] }
  vault.localhost: { to: "app:whoami", allow: [signed-in], require: second-factor }
`,
    });
    for (const name of ['alice', 'paula']) passwords.set(name, await addUser(postern, name, ['staff']));
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await postern?.close();
  });

  const at = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;
  const signInAs = (page: Page, name: string): Promise<void> => signInOn(page, name, passwords.get(name) ?? '');
  const amrOf = async (page: Page): Promise<string[]> => {
    const facts = await page.evaluate(async () => {
      const answer = await fetch('/', { headers: { accept: 'application/json' } });
      return (await answer.json()) as { identity: { person: { amr: string[] } } };
    });
    return facts.identity.person.amr;
  };
  /** Posts a form as a page of the sign-in host does; the status, and what is wrong with it. */
  const postForm = async (page: Page, path: string, form: Record<string, string>): Promise<[number, string | null]> => {
    const answered = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.evaluate(
      ([action, fields]) => {
        const element = Object.assign(document.createElement('form'), { method: 'post', action });
        for (const [name, value] of Object.entries(fields))
          element.append(Object.assign(document.createElement('input'), { name, value }));
        document.body.append(element);
        element.submit();
      },
      [path, form] as const,
    );
    const status = (await answered).status();
    return [status, await page.textContent('[role=alert]')];
  };
  /** A code that was not used before: waits for the next step where it must. */
  const freshCode = async (secret: string, usedAt: number): Promise<string> => {
    const next = (Math.floor(usedAt / STEP_MS) + 1) * STEP_MS;
    // The next step's code counts already: clocks of phones run ahead.
    if (Date.now() < next - STEP_MS) await new Promise((done) => setTimeout(done, next - STEP_MS - Date.now()));
    return new TOTP({ secret }).generate({ timestamp: Math.max(next, Date.now()) });
  };

  test(
    'a route asks for one, an authenticator app is set up on the way, and is asked for ever after',
    { timeout: 300_000 },
    async () => {
      const context = await openContext(browser, { viewport: { width: 390, height: 844 } });
      const page = await context.newPage();
      await page.goto(at('vault', '/safe?x=1&y=%2F'));
      await signInAs(page, 'alice');
      await page.waitForSelector('text=asks for a second factor');
      await takePicture(page, 'second-factor-needed');
      await page.click('text=Add an authenticator app');
      await page.waitForSelector('svg.qr');
      await takePicture(page, 'second-factor-totp');
      const secret = ((await page.textContent('.secret')) ?? '').replaceAll(' ', '');
      const usedAt = Date.now();
      await page.fill('#code', new TOTP({ secret }).generate({ timestamp: usedAt }));
      await page.fill('#name', 'Phone');
      await page.click('text=Confirm');
      await page.waitForSelector('.codes li');
      await takePicture(page, 'second-factor-codes');
      const codes = await page.locator('.codes code').allTextContents();
      await page.click('text=I have kept them');
      await page.waitForURL(at('vault', '/safe?x=1&y=%2F'));
      assert.deepEqual(await amrOf(page), ['pwd', 'otp', 'mfa']);
      await page.goto(at('auth', '/.postern/security'));
      await page.waitForSelector('text=Phone');
      await takePicture(page, 'second-factor-overview');

      const other = await (await openContext(browser)).newPage();
      await other.goto(at('open'));
      await signInAs(other, 'alice');
      await other.waitForSelector('text=One more step');
      await takePicture(other, 'second-factor-step');
      await other.fill('#code', await freshCode(secret, usedAt));
      await other.click('button:has-text("Continue")');
      await other.waitForURL(at('open'));
      assert.deepEqual(await amrOf(other), ['pwd', 'otp', 'mfa']);

      const lost = await (await openContext(browser)).newPage();
      await lost.goto(at('vault'));
      await signInAs(lost, 'alice');
      await lost.fill('#code', codes[0] ?? '');
      await lost.click('button:has-text("Continue")');
      await lost.waitForURL(at('vault'));

      const reset = await postern.cli('user', 'reset-factors', 'alice');
      assert.match(reset.stdout, /User "alice": 1 second factor removed; every session is ended/);
      await lost.goto(at('vault'));
      await lost.waitForSelector('#password');
    },
  );

  const addAuthenticator = async (context: BrowserContext, page: Page): Promise<CDPSession> => {
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    return cdp;
  };

  test('a passkey is added, stands after a password, and signs in alone', { timeout: 300_000 }, async () => {
    const context = await openContext(browser, { colorScheme: 'dark' });
    const page = await context.newPage();
    await addAuthenticator(context, page);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(at('vault'));
    await signInAs(page, 'paula');
    await page.waitForSelector('text=asks for a second factor');
    await page.fill('#passkey-name', 'Laptop');
    await page.click('button:has-text("Add a passkey")');
    await page.waitForSelector('.codes li');
    await page.click('text=I have kept them');
    await page.waitForURL(at('vault'));
    assert.ok((await amrOf(page)).includes('mfa'));

    const signOut = async (): Promise<void> => {
      await page.goto(at('auth', '/.postern/sign-out'));
      await page.click('button:not([name])');
      await page.waitForURL(/signed-out/);
    };
    await signOut();
    await page.goto(at('vault'));
    await signInAs(page, 'paula');
    await page.waitForSelector('text=One more step');
    await takePicture(page, 'second-factor-passkey-step');
    await page.click('button:has-text("Use a passkey")');
    await page.waitForURL(at('vault'));
    assert.deepEqual((await amrOf(page)).toSorted(), ['hwk', 'mfa', 'pwd']);

    await signOut();
    await page.goto(at('vault', '/deep?a=b'));
    await page.waitForSelector('button:has-text("Sign in with a passkey")');
    await takePicture(page, 'sign-in-passkey');
    await page.click('button:has-text("Sign in with a passkey")');
    await page.waitForURL(at('vault', '/deep?a=b'));
    assert.deepEqual((await amrOf(page)).toSorted(), ['hwk', 'mfa', 'user']);
    assert.deepEqual(complaints, []);
  });

  test(
    'a passkey answer of one browser is worth nothing twice, nor in another browser',
    { timeout: 300_000 },
    async () => {
      const context = await openContext(browser);
      const page = await context.newPage();
      await addAuthenticator(context, page);
      await page.goto(at('auth', '/.postern/sign-in'));
      await signInAs(page, 'alice');
      await page.goto(at('auth', '/.postern/security'));
      await page.click('button:has-text("Add a passkey")');
      await page.waitForSelector('.codes li');
      await page.context().clearCookies();
      await page.goto(at('auth', '/.postern/sign-in'));
      const posted = page.waitForRequest((request) => request.url().endsWith('/.postern/passkey'));
      await page.click('button:has-text("Sign in with a passkey")');
      const form = Object.fromEntries(new URLSearchParams((await posted).postData() ?? ''));
      await page.waitForSelector('text=You are signed in');
      const refused = [403, 'This passkey was not accepted. Try again, or choose another way.'];
      assert.deepEqual(await postForm(page, '/.postern/passkey', form), refused);
      const elsewhere = await (await openContext(browser)).newPage();
      await elsewhere.goto(at('auth', '/.postern/sign-in'));
      const itsToken = (await elsewhere.inputValue('form[data-passkey] input[name=form]')) ?? '';
      assert.deepEqual(await postForm(elsewhere, '/.postern/passkey', { ...form, form: itsToken }), refused);
    },
  );
});
