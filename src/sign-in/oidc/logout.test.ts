import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { APP, AUTH, type Page } from '../_rig.ts';
import { departure, signInBy, withOidc, type OidcRig } from './_rig.ts';
import { makeKey } from './_twin-keys.ts';

const ENDPOINT = `${AUTH}/.postern/backchannel-logout`;

function logOut({ browser }: OidcRig, token: string): Promise<Page> {
  return browser().send(ENDPOINT, {
    form: { logout_token: token },
    headers: { origin: '', 'sec-fetch-mode': '', 'sec-fetch-dest': '' },
  });
}

const alive = async ({ sessions }: OidcRig): Promise<number> => (await sessions.list()).length;

async function signInTwice(rig: OidcRig): Promise<void> {
  for (const sid of ['sid-1', 'sid-2']) {
    rig.twin.claims = { ...rig.twin.claims, sid };
    await signInBy(rig.browser(), rig.twin, `${APP}/`);
  }
}

test('A logout token ends the one session of its sid, and without one all of the subject', () =>
  withOidc(async (rig) => {
    await signInTwice(rig);
    const page = await logOut(rig, rig.twin.signLogout({ sub: 'sub-alice', sid: 'sid-1' }));
    assert.deepEqual([page.status, page.headers.get('cache-control'), page.text], [200, 'no-store', '']);
    assert.equal(await alive(rig), 1);
    assert.equal((await logOut(rig, rig.twin.signLogout({ sid: 'unknown' }))).status, 200);
    assert.equal(await alive(rig), 1);
    assert.equal((await logOut(rig, rig.twin.signLogout({ sub: 'sub-alice' }))).status, 200);
    assert.equal(await alive(rig), 0);
  }));

test('A logout token with a sid and a sub ends the session of the sid, and those whose sid was never said', () =>
  withOidc(async (rig) => {
    const { twin } = rig;
    await signInTwice(rig);
    const { sid: _, ...claims } = twin.claims;
    twin.claims = claims;
    const unnamed = rig.browser();
    await signInBy(unnamed, twin, `${APP}/`);
    twin.claims = { ...claims, sub: 'sub-bob', preferred_username: 'bob' };
    await signInBy(rig.browser(), twin, `${APP}/`);
    const left = async (): Promise<string[]> => (await rig.sessions.list()).map(({ person }) => person.name).sort();
    assert.deepEqual(await left(), ['alice', 'alice', 'alice', 'bob']);
    // A session that is over, or one of another client's: it may be the one of which nothing was said, and none else.
    assert.equal((await logOut(rig, twin.signLogout({ sub: 'sub-alice', sid: 'sid-unknown' }))).status, 200);
    assert.deepEqual(await left(), ['alice', 'alice', 'bob']);
    assert.equal((await unnamed.send(`${APP}/`)).status, 302, 'on the way to sign in again');
    const event = rig.events.findLast(({ kind }) => kind === 'back-channel-logout');
    assert.ok(event?.kind === 'back-channel-logout' && event.ended === 2, JSON.stringify(event));
    assert.equal((await logOut(rig, twin.signLogout({ sid: 'sid-unknown' }))).status, 200, 'section 2.7: all is well');
    assert.deepEqual(await left(), ['alice', 'alice', 'bob']);
    assert.equal((await logOut(rig, twin.signLogout({ sub: 'sub-alice', sid: 'sid-1' }))).status, 200);
    assert.deepEqual(await left(), ['alice', 'bob']);
  }));

test('A logout token ends sessions by every name that the document has for its issuer and client', () =>
  withOidc(
    async (rig) => {
      for (const id of ['keycloak', 'strong'])
        await signInBy(rig.browser(), rig.twin, `${AUTH}/.postern/sign-in?provider=${id}`);
      const names = (await rig.sessions.list()).map(({ person }) => person.provider).sort();
      assert.deepEqual(names, ['keycloak', 'strong']);
      const token = rig.twin.signLogout({ sub: 'sub-alice' });
      assert.equal((await logOut(rig, token)).status, 200);
      assert.equal(await alive(rig), 0);
      assert.equal((await logOut(rig, token)).status, 400, 'once, by each of them');
    },
    { again: { id: 'strong', label: 'Strong' } },
  ));

test('A logout token counts once', () =>
  withOidc(async (rig) => {
    const token = rig.twin.signLogout({ sub: 'sub-alice' });
    assert.equal((await logOut(rig, token)).status, 200);
    await signInTwice(rig);
    assert.equal((await logOut(rig, token)).status, 400);
    rig.restart();
    assert.equal((await logOut(rig, token)).status, 400, 'over a restart, too');
    assert.equal(await alive(rig), 2);
  }));

test('A logout token counts again where its sessions could not be ended', () =>
  withOidc(async (rig) => {
    await signInTwice(rig);
    const token = rig.twin.signLogout({ sub: 'sub-alice' });
    const revokeByPerson = rig.sessions.revokeByPerson.bind(rig.sessions);
    rig.sessions.revokeByPerson = () => Promise.reject(new Error('the disk is full'));
    const failed = await logOut(rig, token).then(
      ({ status }) => status,
      () => 500,
    );
    assert.equal(failed, 500);
    rig.sessions.revokeByPerson = revokeByPerson;
    assert.equal((await logOut(rig, token)).status, 200);
    assert.equal(await alive(rig), 0);
  }));

const now = (): number => Math.floor(Date.now() / 1_000);

suite('A logout token is refused', () => {
  const cases: Readonly<Record<string, (rig: OidcRig) => string>> = {
    'with alg none': ({ twin }) => twin.signLogout({ sub: 'sub-alice' }, { alg: 'none' }),
    'with HS256 and the public key': ({ twin }) => twin.signLogout({ sub: 'sub-alice' }, { alg: 'HS256' }),
    'of another issuer': ({ twin }) => twin.signLogout({ sub: 'sub-alice', iss: 'https://evil.example' }),
    'for another client': ({ twin }) => twin.signLogout({ sub: 'sub-alice', aud: 'other' }),
    'that has expired': ({ twin }) => twin.signLogout({ sub: 'sub-alice', exp: now() - 120 }),
    'that is too old': ({ twin }) => twin.signLogout({ sub: 'sub-alice', iat: now() - 1_000, exp: now() + 1_000 }),
    'from the future': ({ twin }) => twin.signLogout({ sub: 'sub-alice', iat: now() + 1_000, exp: now() + 2_000 }),
    'without iat': ({ twin }) => twin.signLogout({ sub: 'sub-alice', iat: undefined }),
    'without jti': ({ twin }) => twin.signLogout({ sub: 'sub-alice', jti: undefined }),
    'with a nonce': ({ twin }) => twin.signLogout({ sub: 'sub-alice', nonce: 'x' }),
    'without events': ({ twin }) => twin.signLogout({ sub: 'sub-alice', events: undefined }),
    'with another event': ({ twin }) => twin.signLogout({ sub: 'sub-alice', events: { 'https://x': {} } }),
    'without sub and sid': ({ twin }) => twin.signLogout({}),
    'by another key': ({ twin }) =>
      twin.sign(
        {
          iss: twin.issuer,
          aud: twin.clientId,
          iat: now(),
          exp: now() + 60,
          jti: 'x',
          sub: 'sub-alice',
          events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        },
        {},
        { ...makeKey('x'), kid: twin.key().kid },
      ),
    'that is an ID token': ({ twin }) =>
      twin.sign({
        iss: twin.issuer,
        aud: twin.clientId,
        iat: now(),
        exp: now() + 60,
        jti: 'x',
        sub: 'sub-alice',
        nonce: 'n',
      }),
    'that is empty': () => '',
    'that is no token': () => 'a.b.c',
  };
  for (const [name, make] of Object.entries(cases)) {
    test(name, () =>
      withOidc(async (rig) => {
        await signInTwice(rig);
        const page = await logOut(rig, make(rig));
        assert.deepEqual([page.status, page.text], [400, '{"error":"invalid_request"}\n']);
        assert.equal(await alive(rig), 2);
        const event = rig.events.at(-1);
        assert.ok(event?.kind === 'back-channel-logout' && event.refusal !== null);
      }),
    );
  }
});

test('Two tokens in one form, a GET, and an app host are no way to log out', () =>
  withOidc(async (rig) => {
    await signInTwice(rig);
    const token = rig.twin.signLogout({ sub: 'sub-alice' });
    assert.equal((await rig.browser().send(`${ENDPOINT}?logout_token=${token}`)).status, 405);
    assert.equal(
      (await rig.browser().send(`${APP}/.postern/backchannel-logout`, { form: { logout_token: token } })).status,
      404,
    );
    assert.equal(await alive(rig), 2);
  }));

test(
  'Fuzz: no logout token of a stranger ends a session or gives a 2xx, a 5xx or an exception',
  { timeout: 7_200_000 },
  () =>
    withOidc(async (rig) => {
      await signInTwice(rig);
      const good = rig.twin.signLogout({ sub: 'sub-alice' });
      const tokens = fc.oneof(
        fc.string({ maxLength: 200 }),
        fc.nat(good.length - 1).map((at) => good.slice(0, at) + (good[at] === 'A' ? 'B' : 'A') + good.slice(at + 1)),
        fc
          .json()
          .map((text) => `${good.split('.')[0]}.${Buffer.from(text).toString('base64url')}.${good.split('.')[2]}`),
      );
      await fc.assert(
        fc.asyncProperty(tokens, async (token) => {
          // Unused bits of the last character are no change at all.
          if (
            Buffer.from(token.split('.')[2] ?? '', 'base64url').equals(
              Buffer.from(good.split('.')[2] ?? '', 'base64url'),
            ) &&
            token.split('.').slice(0, 2).join() === good.split('.').slice(0, 2).join()
          )
            return;
          assert.equal((await logOut(rig, token)).status, 400, token);
        }),
        { numRuns: Number(process.env['POSTERN_FUZZ'] ?? 200) },
      );
      assert.equal(await alive(rig), 2);
    }),
);

test('Signing out goes on to the provider, with the ID token as a hint and only to the registered address', () =>
  withOidc(async (rig) => {
    const alice = rig.browser();
    await signInBy(alice, rig.twin, `${APP}/`);
    const page = await alice.submit(await alice.send(`${AUTH}/`), {});
    const to = new URL(page.headers.get('location') ?? '');
    assert.equal(to.origin + to.pathname, `${rig.twin.issuer}/logout`);
    assert.equal(to.searchParams.get('post_logout_redirect_uri'), `${AUTH}/.postern/signed-out`);
    assert.equal(to.searchParams.get('id_token_hint')?.split('.').length, 3);
    assert.equal(await alive(rig), 0);
    assert.match((await alive(rig), await alice.send(`${AUTH}/`)).headers.get('location') ?? '', /sign-in/);
  }));

test('Signing out gives no hint that would not fit into an address', () =>
  withOidc(async (rig) => {
    rig.twin.claims = { ...rig.twin.claims, groups: Array.from({ length: 500 }, (_, i) => `/teams/number-${i}`) };
    const alice = rig.browser();
    await signInBy(alice, rig.twin, `${APP}/`);
    const page = await alice.submit(await alice.send(`${AUTH}/`), {});
    const to = new URL(page.headers.get('location') ?? '');
    assert.equal(to.origin + to.pathname, `${rig.twin.issuer}/logout`);
    assert.equal(to.searchParams.get('id_token_hint'), null);
    assert.equal(
      to.searchParams.get('client_id'),
      rig.twin.clientId,
      'the provider asks the person, and knows for whom',
    );
    assert.ok(to.href.length < 1_000);
    assert.equal(await alive(rig), 0);
  }));

test('logout: false ends the session here alone, and so does a provider that was never reached', () =>
  withOidc(
    async (rig) => {
      const alice = rig.browser();
      await signInBy(alice, rig.twin, `${APP}/`);
      const page = await alice.submit(await alice.send(`${AUTH}/`), {});
      assert.equal(page.headers.get('location'), `${AUTH}/.postern/signed-out`);
    },
    { settings: { logout: false } },
  ));

test('New keys at the provider: nobody notices, and the old ones stop counting', () =>
  withOidc(async (rig) => {
    const { twin, browser } = rig;
    await signInBy(browser(), twin, `${APP}/`);
    const old = twin.key();
    twin.rotateKeys();
    await new Promise((done) => {
      setTimeout(done, 1_100);
    });
    assert.equal((await signInBy(browser(), twin, `${APP}/`)).text, 'app for alice');
    twin.tamper = ({ claims }) => twin.sign(claims, {}, old);
    const thief = browser();
    assert.equal((await thief.open(twin.visit(await departure(thief, `${APP}/`)))).status, 400);
  }));
