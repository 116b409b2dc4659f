/** Second factors that are set up at the same time: each answer is about the factor that it was asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TOTP } from 'otpauth';
import { Authenticator } from './_authenticator.ts';
import { AUTH, createRig, hiddenFields, type Browser, type Page, type Rig } from './_rig.ts';

const PASSWORD = 'right password';
const SECURITY = `${AUTH}/.postern/security`;
const codeOf = (rig: Rig, secret: string): string => new TOTP({ secret }).generate({ timestamp: rig.deps.clock.now() });
const secretOn = (page: Page): string =>
  (/<code class="secret">([^<]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '');
const codesOn = (page: Page): string[] =>
  [...page.text.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, code = '']) => code);

async function withRig(run: (rig: Rig, subject: string) => Promise<void>): Promise<void> {
  const rig = createRig();
  try {
    await run(rig, await rig.addAccount('ann', PASSWORD));
  } finally {
    rig.close();
  }
}

async function signedIn(rig: Rig): Promise<Browser> {
  const browser = rig.browser();
  await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', PASSWORD);
  return browser;
}

/** Opens the page of an authenticator app; what it answers to the right code. */
async function beginTotp(rig: Rig, browser: Browser, name: string): Promise<() => Promise<Page>> {
  const page = await browser.open(`${SECURITY}?add=totp`);
  return () => browser.submit(page, { code: codeOf(rig, secretOn(page)), name });
}

async function beginPasskey(browser: Browser, name: string): Promise<() => Promise<Page>> {
  const page = await browser.open(SECURITY);
  const text = /data-passkey="([^"]+)"/.exec(page.text)?.[1] ?? '';
  const { options } = JSON.parse(text.replaceAll('&quot;', '"')) as {
    options: { challenge: string; user: { id: string } };
  };
  const answer = new Authenticator(AUTH).create({ challenge: options.challenge, user: options.user.id });
  const form = hiddenFields(page)['form'] ?? '';
  return () => browser.send(SECURITY, { form: { form, do: 'passkey', name, answer } });
}

/** Whose second factor each session has shown, by the name of the factor. */
async function shownBy(rig: Rig, subject: string): Promise<(string | null)[]> {
  const { factors } = await rig.deps.factors.overview(subject);
  const named = new Map(factors.map(({ id, name }) => [id, name]));
  return (await rig.sessions.list()).map(({ person }) => named.get(person.factor ?? '') ?? null);
}

const WAYS = {
  'two apps': (rig: Rig, browser: Browser, name: string) => beginTotp(rig, browser, name),
  'two passkeys': (_: Rig, browser: Browser, name: string) => beginPasskey(browser, name),
} as const;

for (const [what, begin] of Object.entries(WAYS)) {
  test(`of ${what} that are set up as the first at once in two browsers, one is the first, and its codes work`, async () => {
    await withRig(async (rig, subject) => {
      const browsers = [await signedIn(rig), await signedIn(rig)] as const;
      const finish = [await begin(rig, browsers[0], 'Here'), await begin(rig, browsers[1], 'There')];
      const answers = await Promise.all(finish.map((one) => one()));
      const { factors, recoveryLeft } = await rig.deps.factors.overview(subject);
      assert.equal(factors.length, 1, 'the other had not shown the first');
      const first = factors[0]?.name === 'Here' ? 0 : 1;
      assert.equal(answers[first]?.status, 200);
      assert.equal(answers[1 - first]?.status, 403);
      assert.match(answers[1 - first]?.text ?? '', /name="password"/, 'it is asked who it is');
      assert.deepEqual(new Set(await shownBy(rig, subject)), new Set([factors[0]?.name, null]));
      const codes = answers.map((page) => codesOn(page));
      assert.deepEqual([codes[first]?.length, codes[1 - first]?.length, recoveryLeft], [10, 0, 10]);
      assert.deepEqual(await rig.deps.factors.checkCode(subject, codes[first]?.[0] ?? ''), { kind: 'recovery' });
    });
  });

  test(`of ${what} that are set up as the first at once in two tabs, one is kept, and it alone opened what is open`, async () => {
    await withRig(async (rig, subject) => {
      const browser = await signedIn(rig);
      const finish = [await begin(rig, browser, 'Here'), await begin(rig, browser, 'There')];
      await Promise.all(finish.map((one) => one()));
      const { factors } = await rig.deps.factors.overview(subject);
      assert.equal(factors.length, 1);
      assert.deepEqual(await shownBy(rig, subject), [factors[0]?.name]);
    });
  });
}

test('a factor that another one follows in the very moment in which it is set up is what its session has shown', async () => {
  await withRig(async (rig, subject) => {
    const browser = await signedIn(rig);
    const finish = await beginTotp(rig, browser, 'Here');
    const { factors } = rig.deps;
    const { addTotp } = factors;
    const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
    Object.assign(factors, {
      async addTotp(...given: Parameters<typeof addTotp>) {
        const added = await addTotp(...given);
        rig.advance(1);
        assert.ok(await addTotp(subject, { name: 'There', isFirst: false }, secret, codeOf(rig, secret)));
        return added;
      },
    });
    await finish();
    assert.equal((await factors.overview(subject)).factors.length, 2);
    assert.deepEqual(await shownBy(rig, subject), ['Here']);
  });
});

test('of two factors that are added at once when no recovery code is left, one shows new codes, and they work', async () => {
  await withRig(async (rig, subject) => {
    const { factors } = rig.deps;
    const browser = await signedIn(rig);
    const [used] = [codesOn(await (await beginTotp(rig, browser, 'Phone'))())];
    for (const code of used) assert.equal((await factors.checkCode(subject, code)).kind, 'recovery');
    const finish = [await beginTotp(rig, browser, 'Here'), await beginTotp(rig, browser, 'There')];
    const answers = await Promise.all(finish.map((one) => one()));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 303]));
    const codes = answers.flatMap((page) => codesOn(page));
    assert.equal(codes.length, 10);
    for (const code of codes) assert.equal((await factors.checkCode(subject, code)).kind, 'recovery');
  });
});

test('whoever has only the password makes no recovery codes ahead of the first factor', async () => {
  await withRig(async (rig, subject) => {
    const thief = await signedIn(rig);
    const form = { form: hiddenFields(await thief.open(SECURITY))['form'] ?? '', do: 'recovery' };
    const answer = await thief.send(SECURITY, { form });
    assert.deepEqual([answer.status, codesOn(answer)], [303, []]);
    assert.equal((await rig.deps.factors.overview(subject)).recoveryLeft, 0);
    const owner = await signedIn(rig);
    assert.equal(codesOn(await (await beginTotp(rig, owner, 'Phone'))()).length, 10);
  });
});
