/**
 * Attacks on the way back from a provider. Each is refused with its reason in the log, and the visitor
 * learns nothing of it: no session, no 2xx, no claim, no word of the provider.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { APP, AUTH, type Page } from '../_rig.ts';
import { departure, settingsFor, signInBy, withOidc, type OidcRig } from './_rig.ts';
import type { Provider, Providers } from '../provider.ts';
import { createOidcProvider } from './provider.ts';
import { makeKey } from './_twin-keys.ts';
import { startTwin, type Twin } from './_twin.ts';

type Tamper = Twin['tamper'];

/** The last thing that the log was told. */
function reasonOf({ events }: OidcRig): string {
  const event = events.at(-1);
  return event?.kind === 'provider-problem' ? `${event.reason}: ${event.message}` : JSON.stringify(event);
}

function assertRefused(
  rig: OidcRig,
  page: Page,
  browser: { sessionToken: (origin: string) => string | undefined },
): void {
  assert.ok(page.status >= 400 && page.status < 500, `status ${page.status}`);
  assert.equal(browser.sessionToken(AUTH), undefined);
  for (const word of ['alice', 'sub-', 'issuer', 'signature', 'nonce', 'alg', rig.twin.issuer, rig.twin.clientSecret])
    assert.ok(!new RegExp(`\\b${word.replaceAll(/[^\w]/g, '.')}\\b`).test(wordsOf(page)), `the page says "${word}"`);
}

/** All that it says, its title and its comments too; addresses and looks are none of it. */
function wordsOf(page: Page): string {
  return page.text.replaceAll(/<style[\s\S]*?<\/style>|\b(?:href|nonce|src|content)="[^"]*"/g, '');
}

async function attackIdToken(tamper: (rig: OidcRig) => Tamper, expected: RegExp): Promise<void> {
  await withOidc(async (rig) => {
    const alice = rig.browser();
    const away = await departure(alice, `${APP}/`);
    rig.twin.tamper = tamper(rig);
    const page = await alice.open(rig.twin.visit(away));
    assertRefused(rig, page, alice);
    assert.match(reasonOf(rig), expected);
  });
}

const withClaims =
  (over: Record<string, unknown>): Tamper =>
  ({ header, claims }) => ({
    header,
    claims: Object.fromEntries(Object.entries({ ...claims, ...over }).filter(([, value]) => value !== undefined)),
  });
const withHeader =
  (over: Record<string, unknown>): Tamper =>
  ({ header, claims }) => ({ header: { ...header, ...over }, claims });
const now = (): number => Math.floor(Date.now() / 1_000);

suite('An ID token is refused', () => {
  const cases: Readonly<Record<string, readonly [tamper: (rig: OidcRig) => Tamper, expected: RegExp]>> = {
    'with alg none': [() => withHeader({ alg: 'none' }), /invalid: .*(alg|Algorithm|signature)/i],
    'with HS256 and the public key as secret': [() => withHeader({ alg: 'HS256' }), /invalid: .*(alg|Unsupported)/i],
    'of another issuer': [() => withClaims({ iss: 'https://evil.example' }), /invalid: .*"iss" has to be "http:/],
    'of the issuer with a slash more': [({ twin }) => withClaims({ iss: `${twin.issuer}/` }), /invalid: .*iss/],
    'for another client': [() => withClaims({ aud: 'another-client' }), /invalid: .*"aud" has to be "[^"]+"/],
    'for a list without us': [() => withClaims({ aud: ['a', 'b'] }), /invalid: .*aud/],
    'for a list with us but without azp': [
      ({ twin }) => withClaims({ aud: [twin.clientId, 'other'] }),
      /invalid: .*additional untrusted audiences/,
    ],
    'issued to another party (azp)': [
      ({ twin }) => withClaims({ aud: [twin.clientId, 'other'], azp: 'other' }),
      /invalid: .*azp/,
    ],
    'for us alone, but issued to another party (azp)': [() => withClaims({ azp: 'other' }), /invalid: .*azp/],
    'for a list in a list': [({ twin }) => withClaims({ aud: [[twin.clientId]] }), /invalid: .*aud/],
    'of a list of issuers': [({ twin }) => withClaims({ iss: [twin.issuer] }), /invalid: .*iss/],
    'whose exp is a text': [() => withClaims({ exp: String(now() + 300) }), /invalid: .*exp/],
    'whose nbf is a text': [() => withClaims({ nbf: '0' }), /invalid: .*nbf/],
    'whose iat is a text': [() => withClaims({ iat: 'now' }), /invalid: .*iat/],
    'without iat': [() => withClaims({ iat: undefined }), /invalid: .*iat/],
    'of an empty subject': [() => withClaims({ sub: '' }), /invalid: .*sub/],
    'of a subject that is a number': [() => withClaims({ sub: 5 }), /invalid: .*sub/],
    'of a subject with a line end': [() => withClaims({ sub: 'a\r\nX-Forwarded-User: root' }), /invalid: .*sub/],
    'of a subject of 256 characters': [() => withClaims({ sub: 'x'.repeat(256) }), /invalid: .*sub/],
    'with a payload that is not base64url-encoded (b64)': [
      () => withHeader({ b64: false, crit: ['b64'] }),
      /invalid: .*crit/,
    ],
    'that is a token within a token': [
      ({ twin }) =>
        ({ claims }) =>
          twin.sign({ payload: twin.sign(claims) }, { cty: 'JWT' }),
      /invalid: /,
    ],
    'that is encrypted': [() => () => 'eyJhbGciOiJkaXIifQ.a.b.c.d', /invalid: .*JWE/],
    'whose key id leads elsewhere': [() => withHeader({ kid: '../../etc/passwd' }), /invalid: .*(key|JWK)/i],
    'that has expired': [() => withClaims({ exp: now() - 120 }), /clock: .*"exp".*clock_tolerance/],
    'without exp': [() => withClaims({ exp: undefined }), /invalid: .*exp/],
    'not valid yet (nbf)': [() => withClaims({ nbf: now() + 600 }), /clock: .*"nbf".*clock_tolerance/],
    'without a nonce': [() => withClaims({ nonce: undefined }), /invalid: .*nonce/],
    'with another nonce': [() => withClaims({ nonce: 'replayed' }), /invalid: .*nonce.* made for another/],
    'without a subject': [() => withClaims({ sub: undefined }), /invalid: .*sub/],
    'with an unknown critical header': [() => withHeader({ crit: ['x'], x: 1 }), /invalid: .*crit/],
    "by a key that is not the provider's": [
      ({ twin }) =>
        ({ claims }) =>
          twin.sign(claims, {}, makeKey('stranger')),
      /invalid: .*(key|JWK)/i,
    ],
    "by a stranger's key under the provider's key id": [
      ({ twin }) =>
        ({ claims }) =>
          twin.sign(claims, {}, { ...makeKey('x'), kid: twin.key().kid }),
      /invalid: .*signature/i,
    ],
    'whose key stands in its own header (jwk)': [
      ({ twin }) =>
        ({ claims }) => {
          const key = makeKey('own');
          return twin.sign(claims, { jwk: key.publicKey.export({ format: 'jwk' }) }, { ...key, kid: twin.key().kid });
        },
      /invalid: .*signature/i,
    ],
    'whose claims were changed after signing': [
      ({ twin }) =>
        ({ claims }) => {
          const [header = '', , signature = ''] = twin.sign(claims).split('.');
          const other = Buffer.from(JSON.stringify({ ...claims, sub: 'sub-root' })).toString('base64url');
          return `${header}.${other}.${signature}`;
        },
      /invalid: .*signature/i,
    ],
    'that is no token': [() => () => 'not-a-token', /invalid: /],
  };
  for (const [name, [tamper, expected]] of Object.entries(cases)) test(name, () => attackIdToken(tamper, expected));
});

test('Addresses of keys in the header of an ID token are not gone to (jku, x5u), nor its certificate believed', () =>
  withOidc(async (rig) => {
    const { twin } = rig;
    const alice = rig.browser();
    const away = await departure(alice, `${APP}/`);
    const stranger = makeKey(twin.key().kid);
    const header = { jku: `${twin.issuer}/evil-keys`, x5u: `${twin.issuer}/evil-certificate`, x5c: ['AAAA'] };
    twin.tamper = ({ claims }) => twin.sign(claims, header, stranger);
    assertRefused(rig, await alice.open(twin.visit(away)), alice);
    assert.match(reasonOf(rig), /invalid: .*signature/i);
    assert.ok(!twin.requests.some((one) => one.includes('evil')));
  }));

suite('What an endpoint of the provider answers has a page and a reason, and is never an exception', () => {
  type Answer = readonly [status: number, type: string, body: string];
  const answers: Readonly<Record<string, readonly [answer: Answer, reason: RegExp]>> = {
    'a page': [[200, 'text/html', '<html>Welcome to the hotel</html>'], /^unavailable: /],
    'a page of an error': [[500, 'text/html', '<html>Bad day</html>'], /^unavailable: .*answered 500/],
    'a page of a refusal': [[403, 'text/html', '<html>No</html>'], /^(registration|unavailable): .*answered 403/],
    'too many': [[429, 'text/plain', 'Slow down'], /^unavailable: .*answered 429/],
    'a redirect': [[302, 'text/plain', ''], /^unavailable: .*answered 302/],
    'more than anybody reads': [
      [200, 'application/json', `{"x":"${'y'.repeat(1_200_000)}"}`],
      /^unavailable: .*larger/,
    ],
    nothing: [[200, 'application/json', 'null'], /^(invalid|unavailable): /],
    'half of it': [[200, 'application/json', '{"sub":'], /^(invalid|unavailable): /],
    'something else': [[200, 'application/json', '{"keys":"none"}'], /^(invalid|unavailable): /],
  };
  for (const endpoint of ['token_endpoint', 'jwks_uri', 'userinfo_endpoint'])
    for (const [name, [answer, reason]] of Object.entries(answers))
      test(`${endpoint}: ${name}`, () => answerBadly(endpoint, answer, reason));
});

async function answerBadly(
  endpoint: string,
  [status, type, body]: readonly [status: number, type: string, body: string],
  reason: RegExp,
): Promise<void> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': type, location: 'http://127.0.0.1:1/' }).end(body);
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  try {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/there`;
    const prepare = (twin: Twin): unknown => (twin.describe = (metadata) => ({ ...metadata, [endpoint]: address }));
    await withOidc(
      async (rig) => {
        const alice = rig.browser();
        const away = await departure(alice, `${APP}/`);
        if (endpoint === 'userinfo_endpoint') rig.twin.claims = { sub: 'sub-alice' };
        const page = await alice.open(rig.twin.visit(away));
        assert.ok([400, 502, 503].includes(page.status), String(page.status));
        assert.match(reasonOf(rig), reason);
        assert.doesNotMatch(page.text, /hotel|Bad day/);
        assert.equal(alice.sessionToken(AUTH), undefined);
        assert.ok(!rig.events.some(({ kind }) => kind === 'failed'));
      },
      { prepare },
    );
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

test('Clock: three minutes off are refused by default, with the remedy, and borne with clock_tolerance 5m', async () => {
  const behind: Tamper = withClaims({ exp: now() - 180 });
  await attackIdToken(() => behind, /clock: .*raise "clock_tolerance" of "providers.keycloak"/);
  await withOidc(
    async ({ browser, twin }) => {
      const alice = browser();
      const away = await departure(alice, `${APP}/`);
      twin.tamper = behind;
      assert.equal((await alice.open(twin.visit(away))).text, 'app for alice');
    },
    { settings: { clockToleranceMs: 300_000 } },
  );
});

test('A code counts once: the callback played again finds nothing, and leaves the session alone', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const back = rig.twin.visit(await departure(alice, `${APP}/`));
    const cookies = [...alice.jar];
    assert.equal((await alice.open(back)).text, 'app for alice');
    const thief = rig.browser();
    thief.jar.push(...cookies);
    const asked = rig.twin.requests.filter((one) => one === 'POST /token').length;
    assertRefused(rig, await thief.open(back), thief);
    assert.match(reasonOf(rig), /its state was used before/);
    rig.restart();
    rig.events.length = 0;
    // The answer before took the cookie away.
    thief.jar.splice(0, thief.jar.length, ...cookies);
    assertRefused(rig, await thief.open(back), thief);
    assert.match(reasonOf(rig), /its state was used before/);
    assert.equal(rig.twin.requests.filter((one) => one === 'POST /token').length, asked, 'the code is not tried again');
    assert.equal((await alice.open(`${APP}/x`)).text, 'app for alice');
  }));

test('Two callbacks with one state at once open one session, and the provider sees its code once', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const back = rig.twin.visit(await departure(alice, `${APP}/`));
    const jar = [...alice.jar];
    const browsers = Array.from({ length: 8 }, () => {
      const one = rig.browser();
      one.jar.push(...jar);
      return one;
    });
    const statuses = (await Promise.all(browsers.map((one) => one.send(back)))).map(({ status }) => status);
    assert.deepEqual(
      statuses.toSorted((a, b) => a - b),
      [303, ...Array.from({ length: 7 }, () => 400)],
    );
    assert.equal(rig.twin.requests.filter((one) => one === 'POST /token').length, 1);
    assert.equal((await rig.sessions.list()).length, 1);
  }));

test('A state that was used up elsewhere in the very moment, or that there is no room for, opens no session', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const back = rig.twin.visit(await departure(alice, `${APP}/`));
    rig.sessions.spend = () => Promise.resolve(false);
    assertRefused(rig, await alice.open(back), alice);
    assert.match(reasonOf(rig), /its state was used before/);
    assert.deepEqual(await rig.sessions.list(), []);
  }));

test('A state is used up by a code that fails, too: the right one comes too late', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const back = rig.twin.visit(await departure(alice, `${APP}/`));
    const jar = [...alice.jar];
    const forged = new URL(back);
    forged.searchParams.set('code', 'made-up');
    assertRefused(rig, await alice.open(forged.href), alice);
    alice.jar.splice(0, alice.jar.length, ...jar);
    assertRefused(rig, await alice.open(back), alice);
    assert.match(reasonOf(rig), /its state was used before/);
  }));

suite('Made-up codes', () => {
  /** A stranger with a state of their own, and a code of nobody. */
  const makeUp = async (rig: OidcRig, ip: string): Promise<Page> => {
    const mallory = rig.browser();
    const back = new URL(rig.twin.visit(await departure(mallory, `${AUTH}/.postern/sign-in`)));
    back.searchParams.set('code', 'made-up');
    return mallory.send(back.href, { ip });
  };
  const asked = ({ twin }: OidcRig): number => twin.requests.filter((one) => one === 'POST /token').length;

  test('of one address, or one IPv6 /64, are refused before the provider is asked, and hold up nobody else', () =>
    withOidc(async (rig) => {
      const known = rig.browser();
      assert.equal((await signInBy(known, rig.twin, `${APP}/`)).status, 200);
      for (const address of ['192.0.2.10', '2001:db8:1:2::']) {
        const before = asked(rig);
        for (let n = 0; n < 230; n++) {
          const page = await makeUp(rig, address.endsWith(':') ? `${address}${n + 1}` : address);
          assert.ok([400, 429].includes(page.status), String(page.status));
        }
        assert.ok(asked(rig) - before <= 200, `${asked(rig) - before} codes`);
      }
      const refused = await makeUp(rig, '192.0.2.10');
      assert.equal(refused.status, 429);
      assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]\d?$/);
      assert.match(refused.text, /Too many/);
      const last = rig.events.at(-1);
      assert.ok(last?.kind === 'limited' && last.ip === '192.0.2.10' && last.provider === 'keycloak');
      // Nothing of it is kept, and people elsewhere sign in, as does who has signed in at that address before.
      const elsewhere = rig.browser();
      const back = rig.twin.visit(await departure(elsewhere, `${APP}/`));
      assert.equal((await elsewhere.send(back, { ip: '198.51.100.7' })).status, 303);
      const again = await known.send(`${AUTH}/.postern/sign-in?switch=1&provider=keycloak`);
      assert.equal((await known.open(rig.twin.visit(again.headers.get('location') ?? ''))).status, 200);
      // Whoever waited as they were told may open the same address again.
      const late = rig.browser();
      const waiting = rig.twin.visit(await departure(late, `${APP}/`));
      assert.equal((await late.send(waiting)).status, 429);
      rig.advance(1_000 * 60);
      assert.equal((await late.open(waiting)).text, 'app for alice');
    }));

  test('of a browser that claims to be known hold for its address: the number is sealed, and grows old', () =>
    withOidc(async (rig) => {
      for (let n = 0; n < 200; n++) await makeUp(rig, '192.0.2.10');
      const { seal } = rig.deps.seal;
      for (const value of ['1', 'x'.repeat(300), seal('another-purpose', ['a', 1]), seal('known-browser', ['a', 1])]) {
        const mallory = rig.browser();
        mallory.plant('auth.example.com', `__Host-postern-${rig.instance}-known`, value);
        const back = rig.twin.visit(await departure(mallory, `${APP}/`));
        assert.equal((await mallory.send(back)).status, 429, value);
      }
    }));

  test('are told from a crowd of one address that signs in', () =>
    withOidc(async (rig) => {
      for (let n = 0; n < 250; n++) {
        rig.twin.claims = { ...rig.twin.claims, sub: `sub-${n}` };
        assert.equal((await signInBy(rig.browser(), rig.twin, `${APP}/`)).status, 200);
      }
      assert.equal((await rig.sessions.list()).length, 250);
    }));
});

test('Login CSRF: a callback that another browser began opens nothing', () =>
  withOidc(async (rig) => {
    const mallory = rig.browser();
    const victim = rig.browser();
    const back = rig.twin.visit(await departure(mallory, `${APP}/`));
    const tokens = rig.twin.requests.filter((one) => one.includes('/token')).length;
    assertRefused(rig, await victim.open(back), victim);
    assert.match(
      reasonOf(rig),
      /invalid: Callback of "keycloak" refused: this browser began no sign-in with its state/,
    );
    const told = rig.events.at(-1);
    assert.ok(told?.kind === 'provider-problem' && told.isAnybodys === true, 'as many as a stranger likes');
    rig.events.length = 0;
    await departure(victim, `${APP}/`);
    assertRefused(rig, await victim.open(back), victim);
    assert.match(reasonOf(rig), /this browser began no sign-in with its state/);
    assert.equal(
      rig.twin.requests.filter((one) => one.includes('/token')).length,
      tokens,
      'the code was not even tried',
    );
  }));

test('Login CSRF: a state that is changed in any place is refused before its code is tried, in its own browser too', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const good = new URL(rig.twin.visit(await departure(alice, `${APP}/`)));
    const jar = [...alice.jar];
    const state = good.searchParams.get('state') ?? '';
    // Where the flow's id ends, whose cookie is there, and how the rest ends.
    for (const changed of [
      ...Array.from(state, (_, at) => flip(state, at)),
      state.slice(0, -1),
      `${state}A`,
      `${state}.A`,
    ]) {
      alice.jar.splice(0, alice.jar.length, ...jar);
      const back = new URL(good);
      back.searchParams.set('state', changed);
      rig.events.length = 0;
      assertRefused(rig, await alice.open(back.href), alice);
      assert.match(reasonOf(rig), /this browser began no sign-in with its state/);
    }
    assert.ok(!rig.twin.requests.includes('POST /token'), 'no code was tried');
    alice.jar.splice(0, alice.jar.length, ...jar);
    assert.equal((await alice.open(good.href)).text, 'app for alice', 'and the right one is as good as before');
  }));

test('A callback in a frame, a prefetch or a fetch uses nothing up', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const back = rig.twin.visit(await departure(alice, `${APP}/`));
    for (const headers of [
      { 'sec-fetch-dest': 'iframe' },
      { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
      { 'sec-purpose': 'prefetch' },
    ])
      assert.equal((await alice.send(back, { headers })).status, 400);
    assert.match(reasonOf(rig), /a frame, a prefetch or a script asked for it/);
    assert.equal((await alice.open(back)).text, 'app for alice');
  }));

test('A flow that took too long, or lost its cookie, is explained and can be begun again', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const back = rig.twin.visit(await departure(alice, `${APP}/deep?x=1`));
    rig.advance(11 * 60_000);
    const page = await alice.open(back);
    assertRefused(rig, page, alice);
    assert.match(reasonOf(rig), /its state is older than 10 minutes/);
    assert.ok(!rig.twin.requests.includes('POST /token'), 'its code is not even tried');
    assert.ok(!alice.jar.some((cookie) => cookie.name.includes('-f-')), 'its cookie is gone');
    // Whoever set up a second factor at the provider meanwhile still comes to where they wanted to go.
    const again = /href="(\/.postern\/sign-in\?ticket=[^"]+)"/.exec(page.text)?.[1] ?? '';
    const late = rig.twin.visit(await departure(alice, AUTH + again));
    assert.equal((await alice.open(late)).url, `${APP}/deep?x=1`);
    // In another tab of somebody who is signed in by now it goes on by itself.
    const tab = rig.twin.visit(await departure(alice, `${AUTH}/.postern/sign-in?switch=1&provider=keycloak`));
    rig.advance(11 * 60_000);
    assert.equal((await alice.open(tab)).url, `${AUTH}/`);
    const lost = await rig.browser().open(back);
    assert.equal(lost.status, 400);
    assert.match(lost.text, /href="\/.postern\/sign-in"/);
  }));

test('Session fixation: a session of the sign-in host that was there before ends', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const { twin } = rig;
    await alice.open(twin.visit(await departure(alice, `${APP}/`)));
    const before = alice.sessionToken(AUTH) ?? '';
    twin.claims = { sub: 'sub-bob', preferred_username: 'bob' };
    const chosen = await alice.send(`${AUTH}/.postern/sign-in?switch=1&provider=keycloak`);
    await alice.open(twin.visit(chosen.headers.get('location') ?? ''));
    assert.notEqual(alice.sessionToken(AUTH), before);
    const stale = rig.browser();
    stale.plant(
      'auth.example.com',
      alice.jar.find((one) => one.value === alice.sessionToken(AUTH))?.name ?? '',
      before,
    );
    assert.notEqual((await stale.send(`${AUTH}/`)).status, 200);
  }));

async function withTwoProviders(
  work: (rig: OidcRig, other: Twin) => Promise<void>,
  issParameter = true,
): Promise<void> {
  const other = await startTwin({ name: 'evil', issParameter });
  const clock = { now: () => Date.now() };
  const evil = createOidcProvider(settingsFor(other, { id: 'evil', label: 'Evil' }), { clock, log: () => undefined });
  try {
    await withOidc((rig) => work(rig, other), { others: [evil], twin: { issParameter } });
  } finally {
    await other.stop();
  }
}

test("Mix-up: an answer of one provider is never taken for another's", () =>
  withTwoProviders(async (rig, other) => {
    const alice = rig.browser();
    const honest = await departure(alice, `${AUTH}/.postern/sign-in?provider=keycloak`);
    // The honest provider's code at the evil one's callback: its token endpoint would get the code.
    const back = new URL(rig.twin.visit(honest));
    back.pathname = '/.postern/callback/evil';
    assertRefused(rig, await alice.open(back.href), alice);
    assert.match(reasonOf(rig), /state belongs to a sign-in by "keycloak" \(mix-up\)/);
    assert.ok(!other.requests.some((one) => one.includes('/token')));
  }));

test('Mix-up: iss of RFC 9207 is required of a provider that promises it, and must be its own', () =>
  withTwoProviders(async (rig, other) => {
    const wrong = rig.browser();
    rig.twin.answer = { iss: other.issuer };
    assertRefused(
      rig,
      await wrong.open(rig.twin.visit(await departure(wrong, `${AUTH}/.postern/sign-in?provider=keycloak`))),
      wrong,
    );
    assert.match(reasonOf(rig), /"iss" \(issuer\)/);
    const missing = rig.browser();
    rig.twin.answer = {};
    const back = new URL(rig.twin.visit(await departure(missing, `${AUTH}/.postern/sign-in?provider=keycloak`)));
    back.searchParams.delete('iss');
    assertRefused(rig, await missing.open(back.href), missing);
    assert.match(reasonOf(rig), /"iss" \(issuer\) missing/);
    assert.ok(!rig.twin.requests.some((one) => one.includes('/token')));
  }));

test('Mix-up: an ID token of another provider is refused where no iss parameter helps', () =>
  withTwoProviders(async (rig, other) => {
    const alice = rig.browser();
    const away = await departure(alice, `${AUTH}/.postern/sign-in?provider=keycloak`);
    rig.twin.tamper = ({ claims }) => other.sign({ ...claims, iss: other.issuer, aud: other.clientId });
    assertRefused(rig, await alice.open(rig.twin.visit(away)), alice);
    assert.match(reasonOf(rig), /invalid: /);
  }, false));

suite('A reload while somebody is at the provider', () => {
  const withReload = async (work: (rig: OidcRig, reload: (to: Provider | null) => void) => Promise<void>) => {
    let running: Provider | null = null;
    const providers: Providers = { find: () => running, list: () => (running === null ? [] : [running]) };
    const reload = (to: Provider | null): void => {
      running = to;
    };
    await withOidc(
      (rig) => {
        reload(rig.provider);
        return work(rig, reload);
      },
      { rig: { providers: () => providers } },
    );
  };

  test('that makes its id another issuer sends no code of the one to the other (mix-up, RFC 9700 section 4.4)', () =>
    withReload(async (rig, reload) => {
      const other = await startTwin();
      const deps = { clock: { now: () => Date.now() }, log: () => undefined };
      const moved = createOidcProvider(settingsFor(other), deps);
      try {
        const alice = rig.browser();
        const callback = rig.twin.visit(await departure(alice, `${APP}/`));
        reload(moved);
        assertRefused(rig, await alice.open(callback), alice);
        assert.match(reasonOf(rig), /its state belongs to a sign-in at/);
        assert.deepEqual(other.requests, []);
        // Begun again it goes to the other one.
        assert.equal((await signInBy(alice, other, `${APP}/`)).text, 'app for alice');
      } finally {
        moved.close();
        await other.stop();
      }
    }));

  for (const [what, isOther] of [
    ['takes it away', false],
    ['makes it another issuer', true],
  ] as const) {
    test(`that ${what} while its answer is on its way leaves no session of it`, () =>
      withReload(async (rig, reload) => {
        const alice = rig.browser();
        const callback = rig.twin.visit(await departure(alice, `${APP}/`));
        const { provider, sessions } = rig;
        reload({
          ...provider,
          async finish(of) {
            const finished = await provider.finish(of);
            reload(isOther ? { ...provider, authority: 'https://other.example' } : null);
            // As the reload does, which comes before there is a session to be ended.
            await sessions.revokeStrangers(() => false);
            return finished;
          },
        });
        const page = await alice.open(callback);
        assert.equal(page.status, 400);
        assert.equal(alice.sessionToken(AUTH), undefined);
        assert.deepEqual(await sessions.list(), []);
        assert.match(reasonOf(rig), /no such provider any more/);
      }));
  }
});

test('Doubled parameters of a callback are refused', () =>
  withOidc(async (rig) => {
    for (const name of ['state', 'code', 'iss']) {
      const alice = rig.browser();
      const back = rig.twin.visit(await departure(alice, `${APP}/`));
      assertRefused(rig, await alice.open(`${back}&${name}=x`), alice);
    }
  }));

const callbackText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.base64String({ maxLength: 400 }),
  fc.constant(''),
);

/** A hundred thousand of them take their time. */
const FUZZ = { timeout: 7_200_000 };

test('Fuzz: no state, code, iss or error of a stranger gives a 2xx, a 5xx or an exception', FUZZ, () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    const good = new URL(rig.twin.visit(await departure(alice, `${APP}/`)));
    const jar = [...alice.jar];
    const state = good.searchParams.get('state') ?? '';
    const anyState = fc.oneof(
      callbackText,
      fc.nat(state.length - 1).map((at) => flip(state, at)),
    );
    const parameters = fc.record(
      { state: anyState, code: callbackText, iss: callbackText, error: callbackText },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(parameters, fc.constantFrom('keycloak', 'other', '', '../x', '%00'), async (query, id) => {
        alice.jar.splice(0, alice.jar.length, ...jar);
        const text = new URLSearchParams(query).toString();
        const page = await alice.send(`${AUTH}/.postern/callback/${id}?${text}`);
        assert.ok(page.status >= 300 && page.status < 500 && page.status !== 304, `${page.status} for ${id}?${text}`);
        assert.ok(!page.headers.has('location'));
      }),
      { numRuns: Number(process.env['POSTERN_FUZZ'] ?? 300) },
    );
    assert.ok(
      !rig.events.some((event) => event.kind === 'failed'),
      JSON.stringify(rig.events.find((event) => event.kind === 'failed')),
    );
  }),
);

test('Fuzz: no ID token of a stranger gives a session, a 5xx or an exception', FUZZ, () =>
  withOidc(async (rig) => {
    const part = fc.oneof(
      fc.base64String({ maxLength: 60 }),
      fc.json({ maxDepth: 2 }).map((text) => Buffer.from(text).toString('base64url')),
    );
    const tokens = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(tokens, async (token) => {
        const browser = rig.browser();
        // Whoever tries so many in one moment would have to wait.
        rig.advance(1_000);
        const away = await departure(browser, `${APP}/`);
        rig.twin.tamper = () => token;
        const page = await browser.open(rig.twin.visit(away));
        assert.ok(page.status >= 400 && page.status < 500 && page.status !== 429, `${page.status} for ${token}`);
        assert.equal(browser.sessionToken(AUTH), undefined);
      }),
      { numRuns: Number(process.env['POSTERN_FUZZ'] ?? 100) },
    );
    assert.ok(!rig.events.some((event) => event.kind === 'failed'));
  }),
);

function flip(text: string, at: number): string {
  const char = text[at] === 'A' ? 'B' : 'A';
  return text.slice(0, at) + char + text.slice(at + 1);
}
