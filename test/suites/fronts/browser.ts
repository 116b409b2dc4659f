/** A person with a real Chromium: a deep link, Keycloak's form, a page with a WebSocket, somebody else's app. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, openContext, takePicture } from '../../support/browser.ts';
import { skipWithout } from '../../support/peers.ts';
import { IS_ORIGINAL, startDialect } from './rig.ts';
import type { Dialect, Standing, World } from './rig.ts';

const TERMINAL = '/terminal?cwd=%2Fhome%2Falice&b=2#tab-2';

export function browserContract(dialect: Dialect, getWorld: () => World): void {
  suite(`Chromium, ${dialect.name}`, { skip: skipWithout('chromium', ...dialect.peers) }, () => {
    let front: Standing;
    let browser: Browser;
    before(async () => {
      front = await startDialect(getWorld(), { ...dialect, name: `Chromium, ${dialect.name}` });
      browser = await openBrowser('--host-resolver-rules=MAP *.example.com 127.0.0.1', '--ignore-certificate-errors');
    });
    after(async () => {
      await browser?.close();
      await front?.close();
    });

    test('a terminal opens where the link led, and another app says who may not enter', async () => {
      const page = await (await openContext(browser)).newPage();
      const name = dialect.name.split(':', 1)[0]?.toLowerCase() ?? '';
      await page.goto(front.url('app', TERMINAL));
      if (!page.url().includes('/realms/')) await passOwnPage(page, name);
      await page.fill('input[name="username"]', 'alice');
      await page.fill('input[name="password"]', 'pw-alice');
      await page.click('#kc-login');
      await page.waitForFunction(() => document.title === 'Terminal: connected');
      const [address, fragment] = front.url('app', TERMINAL).split('#');
      assert.equal(page.url().split('#')[0], address, 'path and query to the byte');
      if (dialect.keepsFragment === true) assert.equal(page.url().split('#')[1], fragment);
      assert.equal(await page.textContent('#out'), '$ whoami\nalice: whoami');
      await takePicture(page, `fronts-${name}-terminal`);

      const status = (await page.goto(front.url('admin', '/')))?.status();
      assert.equal(status, 403);
      await takePicture(page, `fronts-${name}-403`);
      if (!IS_ORIGINAL && dialect.keepsFragment !== true) await switchAccount(page, front.url('admin', '/'));
      await page.goto(front.url('app', '/oauth2/sign_out'));
      // The original is told to skip its page here: Keycloak still knows alice.
      if (IS_ORIGINAL) return;
      await page.goto(front.url('app', '/terminal'));
      assert.notEqual(await page.title(), 'Terminal: connected');
    });
  });
}

async function passOwnPage(page: Page, name: string): Promise<void> {
  await takePicture(page, `fronts-${name}-sign-in`);
  await page.click('form[action="/oauth2/start"] button');
  await page.waitForURL(/\/realms\//);
}

/** From the page that keeps alice out: carol, who is in the group. */
async function switchAccount(page: Page, wanted: string): Promise<void> {
  assert.match((await page.textContent('main')) ?? '', /alice@example\.com/);
  await page.click('a.button');
  await page.waitForURL(/\/realms\//);
  // Keycloak asks alice for her password again; this link is for somebody else.
  await page.click('#reset-login');
  await page.fill('input[name="username"]', 'carol');
  await page.fill('input[name="password"]', 'pw-carol');
  await page.click('#kc-login');
  await page.waitForURL(wanted);
  assert.match((await page.textContent('body')) ?? '', /"app":true/);
}
