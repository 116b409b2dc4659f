import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, createRig, type Page, type Rig } from './_rig.ts';
import { createHashPool } from '../session/hash-pool.ts';

const PASSWORD = 'correct horse battery';
const SIGN_IN = `${AUTH}/.postern/sign-in`;

async function withRig(
  work: (rig: Rig) => Promise<void>,
  options: Parameters<typeof createRig>[0] = {},
): Promise<void> {
  const rig = createRig(options);
  try {
    await work(rig);
  } finally {
    rig.close();
  }
}

test('The real hash threads let the right password in and no other', async () => {
  const hashPool = createHashPool({ threads: 1 });
  try {
    await withRig(
      async (rig) => {
        await rig.addAccount('alice', PASSWORD);
        const browser = rig.browser();
        const wrong = await browser.signInOn(await browser.open(`${APP}/`), 'alice', `${PASSWORD}!`);
        assert.equal(wrong.status, 403);
        assert.equal((await browser.signInOn(wrong, ' ALICE ', PASSWORD)).url, `${APP}/`);
        assert.equal((await rig.browser().signInOn(await rig.browser().open(SIGN_IN), 'nobody', PASSWORD)).status, 403);
      },
      { hashPool },
    );
  } finally {
    await hashPool.close();
  }
});

test('A wrong password, an unknown name and an impossible name get the same words and keep the name', () =>
  withRig(async (rig) => {
    await rig.addAccount('alice', PASSWORD);
    const words = new Set<string>();
    for (const [name, password] of [
      ['alice', 'wrong'],
      ['nobody', PASSWORD],
      ['<b>"x', PASSWORD],
      ['alice', 'x'.repeat(5_000)],
    ] as const) {
      const browser = rig.browser();
      const page = await browser.submit(await browser.open(SIGN_IN), { name, password });
      assert.equal(page.status, 403);
      assert.ok(!page.text.includes('<b>'));
      assert.ok(!page.text.includes(PASSWORD));
      words.add(/role="alert">([^<]*)</.exec(page.text)?.[1] ?? 'none');
    }
    assert.deepEqual([...words], ['Name or password is not right.']);
  }));

test('A disabled account is refused, and told so only with the right password', () =>
  withRig(async (rig) => {
    const subject = await rig.addAccount('bob', PASSWORD);
    await rig.accounts.disable(subject, 'test');
    const browser = rig.browser();
    const wrong = await browser.submit(await browser.open(SIGN_IN), { name: 'bob', password: 'wrong' });
    assert.match(wrong.text, /not right/);
    const right = await browser.submit(wrong, { name: 'bob', password: PASSWORD });
    assert.equal(right.status, 403);
    assert.match(right.text, /disabled/);
    assert.equal(browser.sessionToken(AUTH), undefined);
  }));

test('Too many tries answer 429 with seconds, for unknown names alike, and another address still gets in', () =>
  withRig(async (rig) => {
    await rig.addAccount('alice', PASSWORD);
    for (const name of ['alice', 'nobody']) {
      const browser = rig.browser();
      let page = await browser.open(SIGN_IN);
      for (let i = 0; i < 60 && page.status !== 429; i++)
        page = await browser.submit(page, { name, password: 'wrong' });
      assert.equal(page.status, 429, name);
      assert.match(page.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
      assert.match(page.text, /Please wait \d+ (second|minute)/);
      const blocked = await browser.submit(page, { name, password: PASSWORD });
      assert.equal(blocked.status, 429);
    }
    const elsewhere = rig.browser();
    const form = await elsewhere.open(SIGN_IN);
    const page = await elsewhere.submit(
      form,
      { name: 'alice', password: PASSWORD },
      { form: { ...fieldsOf(form), name: 'alice', password: PASSWORD }, ip: '198.51.100.7' },
    );
    assert.equal(page.status, 303);
  }));

test('A full hash queue answers 503 with Retry-After and counts no try', () =>
  withRig(
    async (rig) => {
      const browser = rig.browser();
      let page = await browser.open(SIGN_IN);
      for (let i = 0; i < 50; i++) {
        page = await browser.submit(page, { name: 'alice', password: 'x' });
        assert.equal(page.status, 503);
        assert.equal(page.headers.get('retry-after'), '3');
      }
    },
    { hashPool: { verify: () => Promise.resolve('busy'), hash: () => Promise.resolve({ kind: 'busy' }) } },
  ));

test('Login CSRF: a form that another site sends is refused, whatever it holds', () =>
  withRig(async (rig) => {
    await rig.addAccount('mallory', PASSWORD);
    const browser = rig.browser();
    const form = await browser.open(SIGN_IN);
    const good = { ...fieldsOf(form), name: 'mallory', password: PASSWORD };
    const attacks: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null', 'sec-fetch-site': '' },
      { origin: 'null', 'sec-fetch-site': 'cross-site' },
      { origin: '', 'sec-fetch-site': 'cross-site' },
      { origin: '', 'sec-fetch-site': 'same-site' },
      { origin: APP, 'sec-fetch-site': 'same-site' },
      { origin: AUTH, 'sec-fetch-site': 'cross-site' },
      { origin: `${AUTH}.evil.example` },
      { origin: `${AUTH}:8443` },
      { origin: AUTH.replace('https', 'http') },
    ];
    for (const headers of attacks) {
      const page = await browser.send(SIGN_IN, { form: good, headers });
      assert.equal(page.status, 403, JSON.stringify(headers));
      assert.equal(page.setCookies.length, 0);
    }
    for (const type of ['text/plain', 'application/json', 'multipart/form-data; boundary=x']) {
      assert.equal((await browser.send(SIGN_IN, { form: good, headers: { 'content-type': type } })).status, 403, type);
    }
    assert.equal(browser.sessionToken(AUTH), undefined);
    // A browser that says nothing of where the form came from: the token decides.
    const quiet = { origin: '', 'sec-fetch-site': '', 'sec-fetch-mode': '', 'sec-fetch-dest': '' };
    assert.equal((await browser.send(SIGN_IN, { form: { ...good, form: 'x' }, headers: quiet })).status, 403);
    assert.equal((await browser.send(SIGN_IN, { form: good, headers: quiet })).status, 303);
  }));

test('Login CSRF: the token of another browser’s form is refused', () =>
  withRig(async (rig) => {
    await rig.addAccount('mallory', PASSWORD);
    const mallory = rig.browser();
    const theirs = fieldsOf(await mallory.open(SIGN_IN));
    const victim = rig.browser();
    const without = await victim.send(SIGN_IN, { form: { ...theirs, name: 'mallory', password: PASSWORD } });
    assert.equal(without.status, 403);
    assert.match(without.text, /Allow cookies/);
    await victim.open(SIGN_IN);
    const page = await victim.send(SIGN_IN, { form: { ...theirs, name: 'mallory', password: PASSWORD } });
    assert.equal(page.status, 403);
    assert.equal(victim.sessionToken(AUTH), undefined);
  }));

test('A form that was open for a day asks again and keeps the name', () =>
  withRig(async (rig) => {
    await rig.addAccount('alice', PASSWORD);
    const browser = rig.browser();
    const form = await browser.open(`${APP}/x`);
    rig.advance(13 * 3_600_000);
    const again = await browser.submit(form, { name: 'alice', password: PASSWORD });
    assert.equal(again.status, 403);
    assert.match(again.text, /open for too long/);
    assert.match(again.text, /value="alice"/);
    assert.equal((await browser.signInOn(again, 'alice', PASSWORD)).url, `${APP}/x`);
  }));

test('A password in the URL is never tried', () =>
  withRig(async (rig) => {
    await rig.addAccount('alice', PASSWORD);
    const browser = rig.browser();
    const form = await browser.open(SIGN_IN);
    const page = await browser.send(`${SIGN_IN}?name=alice&password=${PASSWORD}`, { form: fieldsOf(form) });
    assert.equal(page.status, 400);
    assert.ok(!page.text.includes(PASSWORD));
  }));

test('An imported hash becomes our own kind at the first sign-in', () =>
  withRig(
    async (rig) => {
      const subject = await rig.addAccount('alice', PASSWORD);
      await rig.accounts.setPassword(subject, `$2y$14$${PASSWORD}`, 'test');
      const browser = rig.browser();
      await browser.signInOn(await browser.open(SIGN_IN), 'alice', PASSWORD);
      assert.equal((await rig.accounts.find(subject))?.passwordHash, `$argon2id$${PASSWORD}`);
      assert.match((await browser.open(`${AUTH}/`)).text, /alice/);
    },
    {
      hashPool: {
        verify: (hash, password) => Promise.resolve(hash?.endsWith(`$${password}`) === true ? 'ok' : 'wrong'),
        hash: (password) => Promise.resolve({ kind: 'hash', hash: `$argon2id$${password}` }),
      },
    },
  ));

test('A cookie that is not kept is explained after the password, not asked for again and again', () =>
  withRig(async (rig) => {
    await rig.addAccount('alice', PASSWORD);
    const browser = rig.browser();
    const after = await browser.submit(await browser.open(`${APP}/x`), { name: 'alice', password: PASSWORD });
    browser.jar.length = 0;
    assert.match((await browser.follow(after)).text, /Allow cookies/);
  }));

test('200 people signing in at once never get each other’s session', () =>
  withRig(async (rig) => {
    const names = Array.from({ length: 200 }, (_, i) => `user${i}`);
    for (const name of names) await rig.addAccount(name, `${PASSWORD} ${name}`);
    const texts = await Promise.all(
      names.map(async (name, i) => {
        const browser = rig.browser();
        const form = await browser.open(`${APP}/${name}`);
        const ip = `198.51.${100 + (i >> 7)}.${i & 127}`;
        const fields = { ...fieldsOf(form), name, password: `${PASSWORD} ${name}` };
        return (await browser.follow(await browser.send(SIGN_IN, { form: fields, ip }))).text;
      }),
    );
    assert.deepEqual(
      texts,
      names.map((name) => `app for ${name}`),
    );
  }));

test('The start page names the person, and leads others to sign in', () =>
  withRig(async (rig) => {
    await rig.addAccount('alice', PASSWORD, ['staff', '<i>']);
    const browser = rig.browser();
    const form = await browser.open(`${AUTH}/`);
    assert.equal(form.url, SIGN_IN);
    const home = await browser.signInOn(form, 'alice', PASSWORD);
    assert.equal(home.url, `${AUTH}/`);
    assert.match(home.text, /alice/);
    assert.match(home.text, /staff/);
    assert.match(home.text, /&lt;i&gt;/);
    assert.equal((await browser.open(SIGN_IN)).url, `${AUTH}/`);
  }));

test('Unknown paths are 404, wrong methods 405, and every page carries the security fields', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    assert.equal((await browser.send(`${AUTH}/.postern/nothing`)).status, 404);
    assert.equal((await browser.send(`${APP}/.postern/sign-in`)).status, 404);
    assert.equal((await browser.send(`${APP}/.postern/__proto__`)).status, 404);
    assert.equal((await browser.send(`${AUTH}/.postern/toString`)).status, 404);
    const wrong = await browser.send(`${APP}/.postern/land`, { method: 'DELETE' });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get('allow'), 'GET');
    for (const url of [SIGN_IN, `${AUTH}/.postern/nothing`, `${AUTH}/.postern/signed-out`, `${APP}/.postern/land`]) {
      const { headers } = await browser.send(url);
      const csp = headers.get('content-security-policy') ?? '';
      assert.match(csp, /default-src 'none'/);
      assert.match(csp, /style-src 'sha256-/);
      assert.match(csp, /frame-ancestors 'none'/);
      assert.match(csp, /form-action 'self'/);
      assert.ok(!csp.includes('unsafe'));
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.ok(headers.has('permissions-policy'));
      assert.ok(headers.has('referrer-policy'));
    }
  }));

function fieldsOf(page: Page): Record<string, string> {
  return Object.fromEntries(
    [...page.text.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}
