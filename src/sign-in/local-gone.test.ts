/** A reload takes the local accounts away while somebody signs in: it ends the sessions that are there, and theirs is not yet. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { TOTP } from 'otpauth';
import { APP, AUTH, beforeOpening, createRig, type Browser, type Page, type Rig } from './_rig.ts';

const PASSWORD = 'right password';

async function withRig(work: (rig: Rig, browser: Browser) => Promise<void>): Promise<void> {
  const rig = createRig({});
  try {
    await rig.addAccount('ann', PASSWORD);
    await work(rig, rig.browser());
  } finally {
    rig.close();
  }
}

const codeOf = (rig: Rig, secret: string): string => new TOTP({ secret }).generate({ timestamp: rig.deps.clock.now() });

async function assertNobodyIsIn(rig: Rig, browser: Browser, page: Page): Promise<void> {
  assert.deepEqual(await rig.sessions.list(), []);
  assert.equal(browser.sessionToken(AUTH), undefined);
  assert.equal(page.status, 303);
  assert.match(
    page.headers.get('location') ?? '',
    /^\/\.postern\/sign-in(?:\?ticket=|$)/,
    'to whatever way in there is now',
  );
  assert.equal(rig.events.filter(({ kind }) => kind === 'signed-in').length, 0);
}

suite('A reload that takes local accounts away in mid-sign-in leaves no session of one', () => {
  test('by a password', () =>
    withRig(async (rig, browser) => {
      const form = await browser.open(`${APP}/deep`);
      beforeOpening(rig, rig.takeLocalAccountsAway);
      const page = await browser.submit(form, { name: 'ann', password: PASSWORD });
      await assertNobodyIsIn(rig, browser, page);
      assert.match(page.headers.get('location') ?? '', /ticket=/);
    }));

  test('by a password and a code', () =>
    withRig(async (rig, browser) => {
      const owner = rig.browser();
      await owner.signInOn(await owner.open(`${AUTH}/.postern/sign-in`), 'ann', PASSWORD);
      const adding = await owner.open(`${AUTH}/.postern/security?add=totp`);
      const secret = (/<code class="secret">([^<]+)</.exec(adding.text)?.[1] ?? '').replaceAll(' ', '');
      await owner.submit(adding, { code: codeOf(rig, secret), name: 'Phone' });
      rig.advance(60_000);
      rig.events.length = 0;
      const step = await browser.signInOn(await browser.open(`${APP}/deep`), 'ann', PASSWORD);
      beforeOpening(rig, rig.takeLocalAccountsAway);
      await assertNobodyIsIn(rig, browser, await browser.submit(step, { code: codeOf(rig, secret) }));
    }));

  test('by a link that sets a password', () =>
    withRig(async (rig, browser) => {
      const account = await rig.accounts.findByName('ann');
      const link = await rig.accounts.mintLink(account?.subject ?? '', 'test');
      const form = await browser.open(`${AUTH}/.postern/set-password?token=${link?.token}`);
      beforeOpening(rig, rig.takeLocalAccountsAway);
      const page = await browser.submit(form, { password: 'another password', again: 'another password' });
      await assertNobodyIsIn(rig, browser, page);
    }));
});

test('openSignIn() of accounts opens nothing where the document has no local accounts', () =>
  withRig(async (rig) => {
    const account = await rig.accounts.findByName('ann');
    await rig.takeLocalAccountsAway();
    assert.equal(await rig.accounts.openSignIn(account?.subject ?? '', 'auth.example.com', ['pwd']), null);
    assert.deepEqual(await rig.sessions.list(), []);
  }));
