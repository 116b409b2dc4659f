import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PosternError } from '../../core/errors.ts';
import { ALICE, answerOfProvider, createRig, type Rig, type RigOptions } from './_rig.ts';

const APP = 'https://app.example.com';

test('start() leads to the provider with state, nonce and an S256 challenge, callback() back to the deep link', async () => {
  const rig = createRig();
  const browser = rig.browser();
  const away = await browser.open(`${APP}/oauth2/start?rd=%2Fa%2520b%2Fc%252Fd%3Fx%3D1%26b%3D2`);
  assert.equal(away.status, 302);
  const asked = new URL(away.location ?? '').searchParams;
  assert.equal(asked.get('redirect_uri'), `${APP}/oauth2/callback`);
  assert.match(asked.get('state') ?? '', /^[\w-]{44}:\/a%20b\/c%2Fd\?x=1&b=2$/);
  assert.match(asked.get('nonce') ?? '', /^[\w-]{43}$/);
  assert.match(asked.get('code_challenge') ?? '', /^[\w-]{43}$/);
  assert.equal(away.headers.get('cache-control'), 'no-cache, no-store, must-revalidate, max-age=0');
  assert.match(away.cookies[0] ?? '', /^_oauth2_proxy_csrf=[\w-]+; Path=\/; Max-Age=900; HttpOnly; Secure$/);

  const landed = await rig.browser().signIn(`${APP}/oauth2/start?rd=%2Fa%2520b%2Fc%252Fd%3Fx%3D1%26b%3D2`);
  assert.equal(landed.status, 302);
  assert.equal(landed.location, '/a%20b/c%2Fd?x=1&b=2');
  const [session, csrf] = landed.cookies;
  assert.match(session ?? '', /^_oauth2_proxy=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; Secure$/);
  assert.equal(csrf, '_oauth2_proxy_csrf=; Path=/; Max-Age=0; HttpOnly; Secure');
  assert.deepEqual(
    [...rig.sessions.values()].map(({ email }) => email),
    [ALICE.email],
  );
});

test('start() leads from a name with a trailing dot to the one without before anything begins, once', async () => {
  const rig = createRig({ settings: { skip: { providerButton: true } } });
  const browser = rig.browser();
  const headers = { host: 'app.example.com.' };
  const led = await browser.open(`${APP}/oauth2/start?rd=%2Fa%2520b%3Fx%3D1%26b%3D2&login_hint=ann`, { headers });
  assert.deepEqual([led.status, led.cookies], [302, []]);
  const to = new URL(led.location ?? '');
  assert.deepEqual([to.origin, to.pathname, to.searchParams.get('login_hint')], [APP, '/oauth2/start', 'ann']);
  const landed = await browser.signIn(to.href);
  assert.deepEqual([landed.status, landed.location], [302, '/a%20b?x=1&b=2']);
  // A proxy in front that writes the dot itself.
  const away = await browser.open(to.href, { headers });
  assert.equal(new URL(away.location ?? '').searchParams.get('redirect_uri'), `${APP}/oauth2/callback`);
  const page = await browser.open(`${APP}/oauth2/sign_in?rd=%2Fx`, { headers });
  assert.match(page.location ?? '', /^https:\/\/app\.example\.com\/oauth2\/start\?rd=%2Fx&dot=0$/);
  // Where a front names the host, its own is nobody's.
  const forwarded = { ...headers, 'x-forwarded-host': 'wiki.example.com' };
  const about = await browser.open(`${APP}/oauth2/start?rd=%2Fx`, { headers: forwarded, isForwarded: true });
  assert.match(about.location ?? '', /redirect_uri=https%3A%2F%2Fwiki\.example\.com%2F/);
});

test('askToSignIn() begins at the name without the dot where a front names one with it', async () => {
  const rig = createRig({ settings: { skip: { providerButton: true } } });
  const asks = { asks: true, isForwarded: true } as const;
  const headers = { 'x-forwarded-host': 'wiki.example.com.', 'x-forwarded-uri': '/a?b=1' };
  const led = await rig.browser().open('https://127.0.0.1:4180/', { ...asks, headers });
  assert.equal(led.location, 'https://wiki.example.com/oauth2/start?rd=%2Fa%3Fb%3D1&dot=0');
  // The endpoint itself heeds it as oauth2-proxy's does: the Host field counts.
  const start = await rig.browser().open(`${APP}/oauth2/start`, { isForwarded: true, headers });
  assert.match(start.location ?? '', /redirect_uri=https%3A%2F%2Fapp\.example\.com%2F/);
});

test('start() lets several tabs sign in, in any order, without cookie-csrf-per-request', async () => {
  const rig = createRig();
  const browser = rig.browser();
  const away = [];
  for (const path of ['/one', '/two', '/three'])
    away.push(await browser.open(`${APP}/oauth2/start?rd=${encodeURIComponent(path)}`));
  assert.equal(browser.cookies('app.example.com').length, 4, 'the one name, and one for each');
  for (const [at, path] of [
    [1, '/two'],
    [0, '/one'],
    [2, '/three'],
  ] as const) {
    const landed = await browser.open(answerOfProvider(rig, away[at]?.location ?? '', ALICE));
    assert.deepEqual([landed.status, landed.location], [302, path]);
  }
  assert.equal(rig.redeemed.length, 3);
  assert.equal(rig.sessions.size, 1, 'each sign-in ends the one before');
  assert.ok(!browser.cookies('app.example.com').some((one) => one.includes('_csrf')));
});

test('start() lets all tabs sign in that a browser opens at once', async () => {
  for (const secure of [true, false]) {
    const rig = createRig({ settings: { cookie: { secure } } });
    const browser = rig.browser();
    const paths = ['/one', '/two', '/three'];
    const away = await Promise.all(
      paths.map((path) => browser.open(`${APP}/oauth2/start?rd=${encodeURIComponent(path)}`)),
    );
    const landed = [];
    for (const one of away)
      landed.push((await browser.open(answerOfProvider(rig, one.location ?? '', ALICE))).location);
    assert.deepEqual(landed, paths);
    assert.equal(rig.redeemed.length, 3);
  }
});

test('callback() whose cookie is gone goes on with the session that another tab has opened', async () => {
  const rig = createRig();
  const browser = rig.browser();
  const first = await createRigTab(rig, '/one');
  await browser.signIn(`${APP}/oauth2/start?rd=%2Ftwo`);
  const landed = await browser.open(answerOfProvider(rig, first, ALICE));
  assert.deepEqual([landed.status, landed.location, rig.redeemed.length], [302, '/one', 1]);
});

async function createRigTab(rig: Rig, path: string): Promise<string> {
  const away = await rig.browser().open(`${APP}/oauth2/start?rd=${encodeURIComponent(path)}`);
  return away.location ?? '';
}

test('start() remembers so many sign-ins at once and no more', async () => {
  const rig = createRig();
  const browser = rig.browser();
  const away = [];
  for (let i = 0; i < 30; i++) away.push(await browser.open(`${APP}/oauth2/start?rd=%2F${i}`));
  const cookies = browser.cookies('app.example.com');
  assert.equal(cookies.length, 7);
  assert.ok(cookies.join('; ').length < 2_000, `${cookies.join('; ').length} bytes`);
  assert.equal((await browser.open(answerOfProvider(rig, away[0]?.location ?? '', ALICE))).status, 403);
  assert.equal((await browser.open(answerOfProvider(rig, away[24]?.location ?? '', ALICE))).status, 302);
});

for (const [limit, most] of [
  [0, 10],
  [13, 13],
  [2, 2],
  [1, 1],
] as const) {
  test(`start() keeps ${most} cookies with cookie-csrf-per-request and a limit of ${limit}, the newest`, async () => {
    const rig = createRig({ settings: { cookie: { csrfPerRequest: true, csrfPerRequestLimit: limit } } });
    const browser = rig.browser();
    const away = [];
    for (let i = 0; i < 15; i++) {
      away.push(await browser.open(`${APP}/oauth2/start?rd=%2F${i}`));
      rig.advance(1_000);
    }
    assert.equal(browser.cookies('app.example.com').length, most);
    const state = new URL(away[14]?.location ?? '').searchParams.get('state') ?? '';
    assert.match(browser.cookies('app.example.com').join(), new RegExp(`_oauth2_proxy_${state.slice(0, 8)}_csrf=`));
    for (let i = 14; i > 14 - most; i--)
      assert.equal((await browser.open(answerOfProvider(rig, away[i]?.location ?? '', ALICE))).location, `/${i}`);
    assert.equal(
      (await browser.open(answerOfProvider(rig, away[14 - most]?.location ?? '', ALICE))).status,
      302,
      'signed in by then',
    );
    assert.equal(rig.redeemed.length, most);
  });
}

test('start() takes redirect_uri from the request, from redirect-url, relative, https where cookies are Secure', async () => {
  const uriOf = async (settings: RigOptions['settings'], url: string): Promise<string | undefined> => {
    const rig = createRig({ settings: settings ?? {} });
    await rig.browser().open(`${url}/oauth2/start`);
    return rig.wishes[0]?.redirectUri;
  };
  assert.equal(await uriOf({}, 'http://app.example.com:8080'), 'https://app.example.com:8080/oauth2/callback');
  assert.equal(
    await uriOf({ cookie: { secure: false } }, 'http://app.example.com'),
    'http://app.example.com/oauth2/callback',
  );
  const configured = (callbackUrl: string, isRelative = false): RigOptions['settings'] => ({
    redirects: { callbackUrl, isRelative },
  });
  assert.equal(await uriOf(configured('https://auth.example.com/cb'), APP), 'https://auth.example.com/cb');
  assert.equal(await uriOf(configured('https://auth.example.com'), APP), 'https://auth.example.com/oauth2/callback');
  assert.equal(await uriOf(configured('/cb'), APP), `${APP}/cb`);
  assert.equal(await uriOf(configured('/cb', true), APP), '/cb');
});

test('start() says 400 to an address that it cannot read, and 503 where the provider does not answer', async () => {
  const browser = createRig().browser();
  assert.equal((await browser.open(`${APP}/oauth2/start?rd=%zz`)).status, 400);
  assert.equal((await browser.open(`${APP}/oauth2/start?rd=https://app.example.com/?q=100%`)).status, 302);
  const rig = createRig({
    provider: { loginUrl: () => Promise.resolve({ kind: 'unavailable', message: 'ECONNREFUSED' }) },
  });
  const answer = await rig.browser().open(`${APP}/oauth2/start?rd=%2Fx`);
  assert.equal(answer.status, 503);
  assert.ok(answer.body.includes('Example ID does not answer'));
  assert.ok(!answer.body.includes('ECONNREFUSED'));
});

test('start() works with encode-state, and asks for no nonce and no PKCE where the provider has none', async () => {
  const rig = createRig({
    settings: { redirects: { encodeState: true } },
    provider: {
      codeChallengeMethod: () => null,
      usesNonce: false,
      redeem: (wish) => {
        rig.redeemed.push(wish);
        return Promise.resolve({ kind: 'ok', value: ALICE });
      },
    },
  });
  const landed = await rig.browser().signIn(`${APP}/oauth2/start?rd=%2Fx`);
  assert.equal(landed.location, '/x');
  assert.match(rig.wishes[0]?.state ?? '', /^[\w-]+$/);
  assert.deepEqual([rig.wishes[0]?.nonce, rig.wishes[0]?.codeChallenge], [null, null]);
  assert.deepEqual([rig.redeemed[0]?.nonce, rig.redeemed[0]?.codeVerifier], [null, null]);
});

test('callback() takes a form_post and hands iss on', async () => {
  const rig = createRig();
  const browser = rig.browser();
  const away = await browser.open(`${APP}/oauth2/start?rd=%2Fx`);
  const back = new URL(answerOfProvider(rig, away.location ?? '', ALICE));
  back.searchParams.set('iss', 'https://id.example.net');
  const landed = await browser.open(`${APP}/oauth2/callback?state=a`, { body: back.searchParams.toString() });
  assert.deepEqual([landed.status, landed.location], [302, '/x']);
  assert.equal(rig.redeemed[0]?.issuer, 'https://id.example.net');
});

test('callback() reads form and query as oauth2-proxy does, the form first', async () => {
  const rig = createRig();
  const land = async (query: (code: string) => string, form: (code: string) => string, method = 'POST') => {
    const browser = rig.browser();
    const away = await browser.open(`${APP}/oauth2/start?rd=%2Fx`);
    const { searchParams } = new URL(answerOfProvider(rig, away.location ?? '', ALICE));
    const [code, state] = [
      searchParams.get('code') ?? '',
      `state=${encodeURIComponent(searchParams.get('state') ?? '')}`,
    ];
    const body = form(`code=${code}`).replace('STATE', state);
    return browser.open(`${APP}/oauth2/callback?${query(`code=${code}`).replace('STATE', state)}`, { method, body });
  };
  const code = (pair: string): string => pair;
  const both = (pair: string): string => `${pair}&STATE`;
  for (const [query, form, method] of [
    [both, () => ''],
    [code, () => 'STATE'],
    [() => 'STATE', code],
    [() => 'code=other&state=a', both],
    [() => '', both, 'PUT'],
    [both, () => 'code=x', 'DELETE'],
  ] as const) {
    const landed = await land(query, form, method);
    assert.deepEqual([landed.status, landed.location], [302, '/x']);
  }
  assert.equal((await land(() => 'error=access_denied', both)).status, 403);
  const long = await rig.browser().open(`${APP}/oauth2/sign_in`, { body: `rd=%2Fx&a=${'x'.repeat(70_000)}` });
  assert.equal(long.status, 413);
});

test('callback() answers as oauth2-proxy does where something is missing', async () => {
  const rig = createRig();
  const cases: [query: string, status: number][] = [
    ['', 500],
    ['?error=', 500],
    ['?state=x', 500],
    ['?code=1&state=a:/x', 403],
    ['?error=access_denied', 403],
    ['?error=access_denied&state=a:/x', 403],
  ];
  for (const [query, status] of cases)
    assert.equal((await rig.browser().open(`${APP}/oauth2/callback${query}`)).status, status, query);
  const browser = rig.browser();
  const back = new URL(answerOfProvider(rig, (await browser.open(`${APP}/oauth2/start`)).location ?? '', ALICE));
  back.searchParams.set('code', '');
  assert.equal((await browser.open(back.href)).status, 500);
  back.searchParams.set('code', 'unknown');
  assert.equal((await browser.open(back.href)).status, 500);
});

test('callback() shows what the provider refused without its words, and leads back', async () => {
  const rig = createRig();
  const answer = await rig.browser().signIn(`${APP}/oauth2/start?rd=%2Fx%3Fy`, null);
  assert.equal(answer.status, 403);
  assert.ok(answer.body.includes('/oauth2/start?rd=%2Fx%3Fy&amp;postern_switch=1'));
  assert.ok(!answer.body.includes('access_denied'));
  assert.equal(answer.cookies[0], '_oauth2_proxy_csrf=; Path=/; Max-Age=0; HttpOnly; Secure');
  const shown = createRig({ settings: { pages: { showsDebug: true } } });
  assert.ok((await shown.browser().signIn(`${APP}/oauth2/start`, null)).body.includes('access_denied'));
});

test('callback() says 503 and keeps the begin where the provider does not answer, so that a reload works', async () => {
  let isDown = true;
  const rig: Rig = createRig({
    provider: {
      redeem: () =>
        Promise.resolve(isDown ? { kind: 'unavailable', message: 'timeout' } : { kind: 'ok', value: ALICE }),
    },
  });
  const browser = rig.browser();
  const back = answerOfProvider(rig, (await browser.open(`${APP}/oauth2/start?rd=%2Fx`)).location ?? '', ALICE);
  assert.equal((await browser.open(back)).status, 503);
  isDown = false;
  assert.equal((await browser.open(back)).location, '/x');
});

test('callback() answers 403, not a fault, for a person whom the settings of the provider keep out', async () => {
  const message = 'GitHub: "alice" is not in the organisation "acme"';
  const rig = createRig({
    provider: { redeem: () => Promise.resolve({ kind: 'refused', message, isNotAdmitted: true }) },
  });
  const answer = await rig.browser().signIn(`${APP}/oauth2/start?rd=%2Fx`);
  assert.equal(answer.status, 403);
  assert.ok(answer.body.includes('postern_switch=1'), 'another account may do');
  assert.ok(!answer.body.includes('acme'), 'what is missing is for the log');
  assert.match(JSON.stringify(rig.events.at(-1)), /Not admitted: GitHub:/);
});

test('callback() puts into the log what an error of the provider means', async () => {
  const rig = createRig({ provider: { explainCallbackError: (error) => `"${error}" means this` } });
  await rig.browser().signIn(`${APP}/oauth2/start`, null);
  assert.match(JSON.stringify(rig.events.at(-1)), /access_denied.{1,3} means this/);
});

test('a store that does not answer is 503 at callback and sign_out, and clears no cookie', async () => {
  const down = (): never => {
    throw new PosternError('STORE_UNAVAILABLE', 'Redis does not answer');
  };
  const rig = createRig({
    keeper: { open: () => Promise.reject(new PosternError('STORE_UNAVAILABLE', 'down')), end: async () => down() },
  });
  const browser = rig.browser();
  const answer = await browser.signIn(`${APP}/oauth2/start`);
  assert.equal(answer.status, 503);
  const out = await browser.open(`${APP}/oauth2/sign_out`);
  assert.deepEqual([out.status, out.cookies], [503, []]);
});

test('whoever is signed in and not let in never goes round in circles', async () => {
  const rig = createRig({ judge: () => ({ kind: 'denied', reason: 'e-mail domain' }) });
  const browser = rig.browser();
  let answer = await browser.open(`${APP}/oauth2/start?rd=%2Fx`);
  answer = await browser.open(answerOfProvider(rig, answer.location ?? '', ALICE));
  assert.deepEqual(
    [answer.status, answer.location],
    [403, null],
    'a page, and no way that a browser follows by itself',
  );
  assert.ok(answer.body.includes('alice@example.com'));
  assert.ok(answer.body.includes('Use another account'));
  assert.ok(!/http-equiv="refresh"|<script/i.test(answer.body));
  assert.equal(rig.sessions.size, 0);
  assert.deepEqual(rig.events.at(-1)?.kind === 'refused' && [rig.events.at(-1)], rig.events.slice(-1));
  await browser.open(`${APP}/oauth2/start?rd=%2Fx&postern_switch=1`);
  assert.equal(rig.wishes.at(-1)?.switchesAccount, true);
  const page = await browser.open(`${APP}/x`, { asks: true });
  assert.equal(page.status, 403);
});

test('start() sends nobody off without PKCE because the provider was not known yet', async () => {
  let isKnown = false;
  const rig: Rig = createRig({
    provider: {
      codeChallengeMethod: () => (isKnown ? 'S256' : null),
      loginUrl: (wish) => {
        isKnown = true;
        const challenge = wish.codeChallenge?.challenge ?? '';
        const query = new URLSearchParams({
          redirect_uri: wish.redirectUri,
          state: wish.state,
          nonce: wish.nonce ?? '',
          code_challenge: challenge,
        });
        return Promise.resolve({ kind: 'ok', value: `https://id.example.net/?${query.toString()}` });
      },
    },
  });
  const landed = await rig.browser().signIn(`${APP}/oauth2/start?rd=%2Fx`);
  assert.equal(landed.location, '/x');
  assert.match(rig.redeemed[0]?.codeVerifier ?? '', /^[\w-]{43}$/);
});
