import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, createRig, type Rig } from './_rig.ts';

const PASSWORD = 'correct horse battery';

async function withLink(work: (rig: Rig, url: string, subject: string) => Promise<void>): Promise<void> {
  const rig = createRig();
  try {
    const subject = await rig.addAccount('carol.the.first', 'the old password');
    const link = await rig.accounts.mintLink(subject, 'test');
    await work(rig, `${AUTH}/.postern/set-password?token=${link?.token ?? ''}`, subject);
  } finally {
    rig.close();
  }
}

test('A link shows on GET, sets on POST, signs in, and works once', () =>
  withLink(async (rig, url) => {
    const browser = rig.browser();
    await browser.open(url);
    const form = await browser.open(url);
    assert.equal(form.status, 200);
    assert.match(form.text, /carol\.the\.first/);
    assert.equal(form.headers.get('referrer-policy'), 'strict-origin');
    const home = await browser.follow(await browser.submit(form, { password: PASSWORD, again: PASSWORD }));
    assert.equal(home.url, `${AUTH}/?notice=password-set`);
    assert.match(home.text, /Your password is set/);
    assert.equal((await browser.open(`${APP}/x`)).text, 'app for carol.the.first');
    assert.equal((await browser.open(url)).status, 410);
    assert.equal((await browser.submit(form, { password: `${PASSWORD}2`, again: `${PASSWORD}2` })).status, 410);
    const other = rig.browser();
    assert.equal(
      (await other.signInOn(await other.open(`${APP}/`), 'carol.the.first', 'the old password')).status,
      403,
    );
    assert.equal((await other.signInOn(await other.open(`${APP}/`), 'carol.the.first', PASSWORD)).url, `${APP}/`);
  }));

test('A new password ends the sessions that the old one opened', () =>
  withLink(async (rig, url) => {
    const old = rig.browser();
    await old.signInOn(await old.open(`${APP}/`), 'carol.the.first', 'the old password');
    const browser = rig.browser();
    await browser.follow(await browser.submit(await browser.open(url), { password: PASSWORD, again: PASSWORD }));
    assert.equal((await old.send(`${APP}/`)).status, 302);
    assert.equal((await rig.sessions.list()).length, 1);
  }));

test('Passwords that will not do are explained and the link stays good', () =>
  withLink(async (rig, url) => {
    const browser = rig.browser();
    let page = await browser.open(url);
    for (const [password, again, words] of [
      ['short', 'short', /at least 10 characters/],
      ['', '', /at least 10 characters/],
      ['🏰🏰🏰🏰🏰🏰🏰🏰🏰', '🏰🏰🏰🏰🏰🏰🏰🏰🏰', /at least 10 characters/],
      [PASSWORD, `${PASSWORD}.`, /not the same/],
      ['Carol.The.First', 'Carol.The.First', /account name/],
      ['x'.repeat(1_001), 'x'.repeat(1_001), /too long/],
    ] as const) {
      page = await browser.submit(page, { password, again });
      assert.equal(page.status, 400);
      assert.match(page.text, words);
      if (password !== '') assert.ok(!page.text.includes(`value="${password}"`));
    }
    const done = await browser.submit(page, { password: PASSWORD, again: PASSWORD });
    assert.equal(done.status, 303);
  }));

test('A link ends after an hour, with a disabled account, and for anything that is no link', () =>
  withLink(async (rig, url, subject) => {
    const browser = rig.browser();
    for (const odd of ['', '?token=', '?token=x', `?token=${'A'.repeat(43)}`, '?token=%00']) {
      const page = await browser.open(`${AUTH}/.postern/set-password${odd}`);
      assert.equal(page.status, 410);
      assert.match(page.text, /no longer works/);
    }
    await rig.accounts.disable(subject, 'test');
    assert.equal((await browser.open(url)).status, 410);
    await rig.accounts.enable(subject, 'test');
    assert.equal((await browser.open(url)).status, 200);
    rig.advance(3_600_001);
    assert.equal((await browser.open(url)).status, 410);
  }));

test('A link that another site submits, or another browser’s form, sets nothing', () =>
  withLink(async (rig, url) => {
    const browser = rig.browser();
    const form = await browser.open(url);
    const fields = { password: PASSWORD, again: PASSWORD };
    const token = new URL(url).searchParams.get('token') ?? '';
    const cross = await browser.send(`${AUTH}/.postern/set-password`, {
      form: { ...fields, token },
      headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    });
    assert.equal(cross.status, 403);
    const victim = rig.browser();
    await victim.open(url);
    assert.equal((await victim.submit(form, fields)).status, 403);
    assert.equal((await browser.submit(form, fields)).status, 303);
  }));
