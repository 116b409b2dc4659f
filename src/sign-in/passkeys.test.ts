/** Passkeys against an authenticator that can be told to do what a real one, or a browser, would not. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { suite, test } from 'node:test';
import { APP, AUTH, beforeOpening, createRig, hiddenFields, type Browser, type Page, type Rig } from './_rig.ts';
import { Authenticator, type Ceremony } from './_authenticator.ts';

/** What the page hands to the browser. */
function wishOn(page: Page): { readonly challenge?: string; readonly user?: { readonly id: string } } {
  const json =
    /data-passkey="([^"]+)"/.exec(page.text)?.[1]?.replaceAll('&quot;', '"').replaceAll('&amp;', '&') ?? '{}';
  return (JSON.parse(json) as { options?: ReturnType<typeof wishOn> }).options ?? {};
}

function challengeOn(page: Page): string {
  return wishOn(page).challenge ?? '';
}

/** A form of the page that holds a passkey's answer. */
function passkeyFields(page: Page): Record<string, string> {
  const form = /<form[^>]*data-passkey[\s\S]*?<\/form>/.exec(page.text)?.[0] ?? '';
  return Object.fromEntries(
    [...form.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
}

async function withPasskey(
  work: (rig: Rig, device: Authenticator) => Promise<void>,
  enrolment: Partial<Ceremony> = {},
): Promise<boolean> {
  const rig = createRig({});
  try {
    await rig.addAccount('ann', 'right password');
    const device = new Authenticator(AUTH);
    const owner = rig.browser();
    await owner.signInOn(await owner.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const page = await owner.open(`${AUTH}/.postern/security`);
    const answer = device.create({ challenge: challengeOn(page), user: wishOn(page).user?.id ?? null, ...enrolment });
    const form = { ...hiddenFields(page), do: 'passkey', name: 'Key', answer };
    const added = await owner.send(`${AUTH}/.postern/security`, { form });
    if (added.status === 200) await work(rig, device);
    return added.status === 200;
  } finally {
    rig.close();
  }
}

async function signInBy(browser: Browser, device: Authenticator, over: Partial<Ceremony> = {}): Promise<Page> {
  const page = await browser.open(`${APP}/deep?q=1`);
  const answer = device.get({ challenge: challengeOn(page), ...over });
  return browser.send(`${AUTH}/.postern/passkey`, { form: { ...passkeyFields(page), answer } });
}

test('a passkey signs in by itself, and comes to the page that was wanted', () =>
  withPasskey(async (rig, device) => {
    const browser = rig.browser();
    assert.equal((await browser.follow(await signInBy(browser, device))).url, `${APP}/deep?q=1`);
    const shown = (await rig.sessions.list()).map(({ person }) => person.amr.join(' ')).sort();
    assert.deepEqual(shown, ['hwk user mfa', 'pwd hwk mfa'], 'the session that added it has shown the same key');
  }).then(assert.ok));

test('whose only factor is a passkey reads why there is no button for it: no script, or a browser that knows none', () =>
  withPasskey(async (rig) => {
    const browser = rig.browser();
    const step = await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    assert.match(step.text, /<noscript><p class="note">Your passkey cannot be used in this browser/);
    assert.match(step.text, /<p class="note" data-no-passkey hidden>Your passkey cannot/);
    assert.match(step.text, /<label for="recovery-code">/);
    const script = await browser.open(`${AUTH}/.postern/page.js`);
    assert.match(script.text, /!window\.PublicKeyCredential\) \{[^}]*\[data-no-passkey\]/);
  }).then(assert.ok));

test('A reload that takes local accounts away while a passkey is shown leaves no session of one', () =>
  withPasskey(async (rig, device) => {
    const browser = rig.browser();
    beforeOpening(rig, rig.takeLocalAccountsAway);
    const page = await signInBy(browser, device);
    assert.deepEqual([page.status, await rig.sessions.list()], [303, []]);
    assert.match(page.headers.get('location') ?? '', /^\/\.postern\/sign-in\?ticket=/);
    assert.equal(browser.sessionToken(AUTH), undefined);
  }).then(assert.ok));

suite('A passkey is refused', () => {
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const cases: Readonly<Record<string, Partial<Ceremony>>> = {
    'that was asked for by another site': { origin: 'https://auth.evil.example' },
    'that was asked for by a sibling host': { origin: APP },
    'that was asked for at another port': { origin: `${AUTH}:8443` },
    'that was asked for over plain HTTP': { origin: AUTH.replace('https:', 'http:') },
    'that was asked for by a name that begins so': { origin: `${AUTH}.evil.example` },
    'for another relying party': { rpId: 'evil.example' },
    'for the domain above': { rpId: 'example.com' },
    'in a frame of another site': { crossOrigin: true },
    'of a ceremony that makes a new one': { type: 'webauthn.create' },
    'without a person there': { flags: 0 },
    'that did not check the person, where it stands alone': { flags: 0x01 },
    'that another account has, as its device says': { user: Buffer.from('somebody else').toString('base64url') },
    'that does not say whose it is, where nobody was named': { user: null },
    'that may be on several devices by now, and was made for one': { flags: 0x01 | 0x04 | 0x08 },
    'that is copied, but cannot be': { flags: 0x01 | 0x04 | 0x10 },
    'signed by another key': { key: stranger },
    'for a challenge of nobody': { challenge: 'AAAA' },
  };
  for (const [name, over] of Object.entries(cases))
    test(name, () =>
      withPasskey(async (rig, device) => {
        const browser = rig.browser();
        const page = await signInBy(browser, device, over);
        assert.equal(page.status, 403);
        assert.equal(browser.sessionToken(AUTH), undefined);
        assert.ok(!rig.events.some(({ kind }) => kind === 'failed'));
        assert.equal((await signInBy(browser, device)).status, 303, 'the right answer is none the worse for it');
      }).then(assert.ok),
    );

  test('whose counter does not rise: it was copied', () =>
    withPasskey(async (rig, device) => {
      assert.equal((await signInBy(rig.browser(), device, { counter: 7 })).status, 303);
      for (const counter of [7, 6, 1, 0]) {
        const thief = rig.browser();
        assert.equal((await signInBy(thief, device, { counter })).status, 403, String(counter));
        assert.equal(thief.sessionToken(AUTH), undefined);
      }
      assert.equal((await signInBy(rig.browser(), device, { counter: 8 })).status, 303);
    }).then(assert.ok));

  test('that was shown before, or was made for another browser', () =>
    withPasskey(async (rig, device) => {
      const browser = rig.browser();
      const page = await browser.open(`${APP}/`);
      const form = { ...passkeyFields(page), answer: device.get({ challenge: challengeOn(page) }) };
      const other = rig.browser();
      const theirs = passkeyFields(await other.open(`${APP}/`));
      assert.equal(
        (await other.send(`${AUTH}/.postern/passkey`, { form: { ...form, form: theirs['form'] ?? '' } })).status,
        403,
      );
      assert.equal((await browser.send(`${AUTH}/.postern/passkey`, { form })).status, 303);
      const again = await browser.send(`${AUTH}/.postern/passkey`, { form });
      assert.equal(again.status, 403);
    }).then(assert.ok));

  test('without its challenge being used up by an answer that is not right: nobody can use them up for others', () =>
    withPasskey(async (rig, device) => {
      const browser = rig.browser();
      const page = await browser.open(`${APP}/`);
      const challenge = challengeOn(page);
      const send = (answer: string): Promise<Page> =>
        browser.send(`${AUTH}/.postern/passkey`, { form: { ...passkeyFields(page), answer } });
      for (let n = 0; n < 3; n++) assert.equal((await send(device.get({ challenge, key: stranger }))).status, 403);
      assert.equal(await rig.sessions.wasSpent('passkey', challenge), false);
      assert.equal((await send(device.get({ challenge }))).status, 303);
      assert.equal(await rig.sessions.wasSpent('passkey', challenge), true);
    }).then(assert.ok));

  test('of a challenge that is too old', () =>
    withPasskey(async (rig, device) => {
      const browser = rig.browser();
      const page = await browser.open(`${APP}/`);
      const form = { ...passkeyFields(page), answer: device.get({ challenge: challengeOn(page) }) };
      rig.advance(10 * 60_000);
      assert.equal((await browser.send(`${AUTH}/.postern/passkey`, { form })).status, 403);
    }).then(assert.ok));
});

suite('A new passkey is not kept', () => {
  const cases: Readonly<Record<string, Partial<Ceremony>>> = {
    'that was made for another site': { origin: 'https://auth.evil.example' },
    'that was made for another relying party': { rpId: 'evil.example' },
    'that was made in a frame of another site': { crossOrigin: true },
    'of a ceremony that shows one': { type: 'webauthn.get' },
    'for a challenge of nobody': { challenge: 'AAAA' },
    'without a person there': { flags: 0x40 },
  };
  for (const [name, enrolment] of Object.entries(cases))
    test(name, async () => assert.equal(await withPasskey(() => Promise.resolve(), enrolment), false));
});

test('a passkey that may be on several devices says so for good, and is no key in hardware', () =>
  withPasskey(
    async (rig, device) => {
      const synced = 0x01 | 0x04 | 0x08;
      assert.equal((await signInBy(rig.browser(), device, { flags: synced | 0x10 })).status, 303);
      assert.ok((await rig.sessions.list()).some(({ person }) => person.amr.join(' ') === 'swk user mfa'));
      assert.equal(
        (await signInBy(rig.browser(), device, { flags: synced })).status,
        303,
        'whether it is copied may change',
      );
      assert.equal((await signInBy(rig.browser(), device, { flags: 0x01 | 0x04 })).status, 403);
    },
    { flags: 0x01 | 0x04 | 0x08 | 0x40 },
  ).then(assert.ok));

test('beside a password a passkey need not say whose it is, but not that it is another account’s', () =>
  withPasskey(async (rig, device) => {
    for (const [user, status] of [
      [null, 303],
      [Buffer.from('somebody else').toString('base64url'), 403],
    ] as const) {
      const browser = rig.browser();
      const step = await browser.signInOn(await browser.open(`${APP}/`), 'ann', 'right password');
      const answer = device.get({ challenge: challengeOn(step), user, flags: 0x01 });
      const form = { ...passkeyFields(step), answer };
      assert.equal((await browser.send(`${AUTH}/.postern/second-step`, { form })).status, status);
    }
  }).then(assert.ok));
