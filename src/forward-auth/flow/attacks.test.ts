/** Attacks on a sign-in, each by its name, as somebody could try them from outside. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { ALICE, answerOfProvider, createRig, type Answer, type Rig } from './_rig.ts';
import { decodeBytes } from './return-address.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 1_000);
const AUTH = 'https://auth.example.com';
const START = `${AUTH}/oauth2/start?rd=%2Fdeep%3Fx%3D1`;
const MALLORY = { ...ALICE, user: 'u-mallory', email: 'mallory@example.com' };

/** Nobody was signed in, and nothing was asked of the provider. */
function assertRefused(rig: Rig, answer: Answer, status = 403): void {
  assert.equal(answer.status, status);
  assert.equal(answer.location, null);
  assert.equal(rig.sessions.size, 0);
  assert.equal(rig.redeemed.length, 0, 'no code was redeemed');
  assert.ok(!answer.cookies.some((one) => /^_oauth2_proxy=[^;]/.test(one)));
}

suite('login CSRF and mix-up', () => {
  test('a callback of another browser is refused before its code is redeemed (CVE-2017-1000069)', async () => {
    const rig = createRig();
    const away = await rig.browser().open(START);
    const callback = answerOfProvider(rig, away.location ?? '', MALLORY);
    assertRefused(rig, await rig.browser().open(callback));
    assert.match(rig.events.map((event) => JSON.stringify(event)).join(''), /share the cookie/);
  });

  test('a callback of another browser is refused where this one has begun a sign-in of its own', async () => {
    // With a domain the cookie of the last begin has one name for all of them.
    for (const domains of [[], ['.example.com']]) {
      const rig = createRig({ settings: { cookie: { domains } } });
      const victim = rig.browser();
      await victim.open(START);
      const away = await rig.browser().open(START);
      assertRefused(rig, await victim.open(answerOfProvider(rig, away.location ?? '', MALLORY)));
    }
  });

  test('a code of another sign-in does not fit: its PKCE challenge and nonce are another’s (code injection)', async () => {
    const rig = createRig();
    const [victim, attacker] = [rig.browser(), rig.browser()];
    const own = new URL(answerOfProvider(rig, (await victim.open(START)).location ?? '', ALICE));
    const stolen = new URL(answerOfProvider(rig, (await attacker.open(START)).location ?? '', MALLORY));
    own.searchParams.set('code', stolen.searchParams.get('code') ?? '');
    const answer = await victim.open(own.href);
    assert.equal(answer.status, 500);
    assert.equal(rig.sessions.size, 0);
  });

  test('a state with its redirect changed is refused, though the new one would be allowed (state swap)', async () => {
    const rig = createRig({ settings: { redirects: { whitelist: ['.example.com'] } } });
    const browser = rig.browser();
    const callback = new URL(answerOfProvider(rig, (await browser.open(START)).location ?? '', ALICE));
    const [nonce] = (callback.searchParams.get('state') ?? '').split(':');
    callback.searchParams.set('state', `${nonce}:https://wiki.example.com/`);
    assertRefused(rig, await browser.open(callback.href));
  });

  test('a state of another cookie secret is refused', async () => {
    const rig = createRig();
    const other = createRig({ settings: { cookie: { secret: { read: () => Buffer.alloc(32, 7) } } } });
    const browser = other.browser();
    const callback = answerOfProvider(other, (await browser.open(START)).location ?? '', ALICE);
    const same = rig.browser();
    for (const cookie of browser.cookies('auth.example.com')) same.plant(`${cookie}; Path=/`, 'auth.example.com');
    assertRefused(rig, await same.open(callback));
  });

  test('a state works once: the same callback after success opens nothing (replay)', async () => {
    const rig = createRig();
    const browser = rig.browser();
    const callback = answerOfProvider(rig, (await browser.open(START)).location ?? '', ALICE);
    const jar = browser.cookies('auth.example.com');
    const code = new URL(callback).searchParams.get('code') ?? '';
    const held = rig.codes.get(code);
    assert.ok(held !== undefined);
    assert.equal((await browser.open(callback)).status, 302);
    const again = rig.browser();
    for (const cookie of jar) again.plant(`${cookie}; Path=/`, 'auth.example.com');
    // Also of a provider that takes a code twice.
    rig.codes.set(code, held);
    const answer = await again.open(callback);
    assert.notEqual(answer.status, 302);
    assert.equal(rig.sessions.size, 1);
  });

  test('a state is too old after the life of its cookie, whatever the browser keeps', async () => {
    const rig = createRig();
    const browser = rig.browser();
    const callback = answerOfProvider(rig, (await browser.open(START)).location ?? '', ALICE);
    const jar = browser.cookies('auth.example.com');
    rig.advance(900_001);
    for (const cookie of jar) browser.plant(`${cookie}; Path=/`, 'auth.example.com');
    assertRefused(rig, await browser.open(callback));
  });

  test('a callback never makes a signed-in browser somebody else', async () => {
    const rig = createRig();
    const victim = rig.browser();
    await victim.signIn(START);
    const away = await rig.browser().open(START);
    const answer = await victim.open(answerOfProvider(rig, away.location ?? '', MALLORY));
    assert.deepEqual([answer.status, answer.location], [302, '/deep?x=1'], 'it goes on as who it is');
    assert.equal(rig.redeemed.length, 1);
    assert.deepEqual(
      [...rig.sessions.values()].map(({ email }) => email),
      [ALICE.email],
    );
  });
});

suite('cookies of neighbours', () => {
  test('of two different cookies of the name none counts, and both are removed (cookie tossing)', async () => {
    const rig = createRig({ settings: { cookie: { domains: ['example.com'] } } });
    const attacker = rig.browser();
    const away = await attacker.open(START);
    const [planted = ''] = attacker.cookies('auth.example.com');
    const victim = rig.browser();
    await victim.open(START);
    victim.plant(`${planted}; Path=/oauth2; Domain=example.com`, 'evil.example.com');
    const answer = await victim.open(answerOfProvider(rig, away.location ?? '', MALLORY));
    assertRefused(rig, answer);
    assert.match(answer.body, /two different cookies/);
    assert.ok(!victim.cookies('auth.example.com', '/oauth2/callback').join().includes('_oauth2_proxy_csrf='));
    assert.equal((await victim.signIn(START)).status, 302, 'the next try works');
  });

  test('without a cookie domain no neighbour can plant the begin of a sign-in: its cookie is a __Host- one', async () => {
    const rig = createRig();
    const attacker = rig.browser();
    const away = await attacker.open(START);
    const jar = attacker.cookies('auth.example.com');
    assert.match(jar.join(), /__Host-_oauth2_proxy_[\w-]{8}_csrf=/);
    const victim = rig.browser();
    // What a neighbour cannot set is missing: browsers take "__Host-" from the host itself alone.
    for (const cookie of jar.filter((one) => !one.startsWith('__Host-')))
      victim.plant(`${cookie}; Path=/; Domain=example.com`, 'evil.example.com');
    assertRefused(rig, await victim.open(answerOfProvider(rig, away.location ?? '', MALLORY)));
  });

  test('a planted session id does not become the session (fixation)', async () => {
    const rig = createRig();
    const browser = rig.browser();
    browser.plant('_oauth2_proxy=planted; Path=/', 'auth.example.com');
    await browser.signIn(START);
    assert.ok(!rig.sessions.has('planted'));
    assert.notDeepEqual(browser.cookies('auth.example.com'), ['_oauth2_proxy=planted']);
  });

  test('each sign-in has a new id, and the one before is dead', async () => {
    const rig = createRig();
    const browser = rig.browser();
    await browser.signIn(START);
    const [first = ''] = rig.sessions.keys();
    await browser.signIn(START);
    assert.equal(rig.sessions.size, 1);
    assert.ok(!rig.sessions.has(first));
  });

  test('a forged, cut or foreign cookie of the begin is worth nothing', async () => {
    const rig = createRig();
    const browser = rig.browser();
    const callback = answerOfProvider(rig, (await browser.open(START)).location ?? '', ALICE);
    const own = browser.cookies('auth.example.com').find((one) => one.startsWith('__Host-')) ?? '';
    const [name = '', value = ''] = own.split('=');
    const forged = [
      '',
      '|||',
      value.slice(0, -1),
      `${value}A`,
      `B${value.slice(1)}`,
      'x'.repeat(100_000),
      '%00',
      '""',
      `"${value.slice(2)}"`,
      `${value}; ${name}=${value.slice(1)}`,
    ];
    for (const one of forged)
      assertRefused(rig, await rig.browser().open(callback, { headers: { cookie: `${name}=${one}` } }));
    assertRefused(rig, await rig.browser().open(callback, { headers: { cookie: `_oauth2_proxy_csrf=${value}` } }));
    const renamed = createRig({ settings: { cookie: { name: 'other' } } });
    assertRefused(
      renamed,
      await renamed
        .browser()
        .open(callback, { headers: { cookie: `${name.replace('_oauth2_proxy', 'other')}=${value}` } }),
    );
  });
});

suite('open redirect and header injection', () => {
  const lines = readFileSync(new URL('../../../test/vectors/open-redirects.txt', import.meta.url), 'latin1').split(
    '\n',
  );
  const rig = createRig({ settings: { redirects: { whitelist: ['www.whitelisteddomain.tld'] } } });
  const assertStays = (location: string | null, text: string): void => {
    assert.notEqual(location, null, text);
    const url = new URL(location ?? '', AUTH);
    assert.ok([AUTH, 'https://www.whitelisteddomain.tld'].includes(url.origin), `${text} leads to ${url.href}`);
    assert.match(location ?? '', /^[\u0021-\u007e]+$/);
  };

  test('no vector leaves by rd, X-Auth-Request-Redirect, X-Forwarded-*, sign_in, sign_out or the callback', async () => {
    const browser = rig.browser();
    for (const line of lines) {
      const bytes = decodeBytes(line) ?? line;
      const escaped = Buffer.from(bytes, 'latin1').toString('hex').replaceAll(/../g, '%$&');
      const headers = { 'x-auth-request-redirect': bytes };
      assertStays((await browser.open(`${AUTH}/oauth2/sign_out?rd=${escaped}`)).location, line);
      assertStays((await browser.open(`${AUTH}/oauth2/sign_out?rd=${line.replaceAll('#', '%23')}`)).location, line);
      assertStays((await browser.open(`${AUTH}/oauth2/sign_out`, { headers })).location, line);
      assertStays((await browser.open(`${AUTH}/oauth2/sign_out`, { body: `rd=${escaped}` })).location, line);
      const forwarded = { 'x-forwarded-host': 'auth.example.com', 'x-forwarded-uri': bytes };
      assertStays(
        (await browser.open(`${AUTH}/oauth2/sign_out`, { headers: forwarded, isForwarded: true })).location,
        line,
      );
      assertStays((await browser.signIn(`${AUTH}/oauth2/start?rd=${escaped}`)).location, line);
      const page = await browser.open(`${AUTH}/oauth2/sign_in?rd=${escaped}`);
      const field = /name="rd" value="([^"]*)"/.exec(page.body)?.[1] ?? 'missing';
      assertStays(
        field.replaceAll('&amp;', '&').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>'),
        line,
      );
    }
  });

  test('the first rd counts, and a second one changes nothing', async () => {
    const { location } = await rig.browser().open(`${AUTH}/oauth2/sign_out?rd=%2Fa&rd=https%3A%2F%2Fevil.example`);
    assert.equal(location, '/a');
  });

  test('an X-Forwarded-Host that is not whitelisted leads nobody away', async () => {
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-uri': '/x' };
    const answer = await rig.browser().open(`${AUTH}/oauth2/sign_out`, { headers });
    assert.equal(answer.location, '/');
  });

  test('no text of an address becomes a header or markup', async () => {
    const hostile = [
      '%0d%0aSet-Cookie:%20a=b',
      '%22%3e%3cscript%3ealert(1)%3c/script%3e',
      '%00',
      '%e2%80%a8',
      '%c0%af',
    ];
    for (const text of hostile) {
      for (const path of [
        `sign_in?rd=/${text}`,
        `sign_in?rd=%2F${text}`,
        `start?rd=%2F${text}`,
        `callback?error=${text}&error_description=${text}`,
        `callback?state=${text}:${text}&code=${text}`,
      ]) {
        const answer = await rig.browser().open(`${AUTH}/oauth2/${path}`);
        assert.ok(!answer.body.includes('<script>alert'), path);
        for (const [, value] of answer.headers) assert.match(value, /^[\u0020-\u007e]*$/, path);
        assert.ok(!answer.cookies.some((one) => one.startsWith('a=')));
      }
    }
  });

  test('whatever rd is made of, a browser stays', async () => {
    const pieces = fc.constantFrom(
      '/',
      '\\',
      '%5c',
      '%2f',
      '%09',
      '%0a',
      '%00',
      '?',
      '%23',
      '@',
      ':',
      'https:',
      '//',
      'evil.example',
      '%2e%2e',
      '..',
      '&',
      'rd=',
      ';',
      '%',
      '+',
      'é',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 10 }), async (all) => {
        const answer = await rig.browser().open(`${AUTH}/oauth2/sign_out?rd=${all.join('')}`);
        assertStays(answer.location, all.join(''));
      }),
      { numRuns: RUNS },
    );
  });
});

test('whatever comes as callback, nobody is signed in and nothing breaks', async () => {
  const rig = createRig();
  const text = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom(':', 'a:b', 'a'.repeat(44) + ':/x'),
  );
  const name = fc.constantFrom('state', 'code', 'error', 'iss', 'state[]', 'session_state');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, text), { maxLength: 5 }),
      fc.boolean(),
      text,
      async (pairs, isPost, cookie) => {
        const query = new URLSearchParams(pairs).toString();
        const headers = { cookie: `_oauth2_proxy_csrf=${encodeURIComponent(cookie)}` };
        const wish = isPost ? { body: query, headers } : { headers };
        const answer = await rig.browser().open(`${AUTH}/oauth2/callback${isPost ? '' : `?${query}`}`, wish);
        assert.ok([400, 403, 500].includes(answer.status), `${answer.status} ${answer.body}`);
        assert.equal(rig.sessions.size, 0);
        assert.equal(rig.redeemed.length, 0);
      },
    ),
    { numRuns: RUNS },
  );
});
