/**
 * The running `postern forward-auth` with a real Keycloak: the way in to the byte of a deep link, another account, and
 * every way out: here, at Keycloak through `rd`, by `backend_logout_url`, and from Keycloak's side.
 */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { CLIENT_SECRET, startKeycloak, type Keycloak } from '../../support/keycloak.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { accepts, AT_ONCE_MS, startProgram, until, type Program } from '../../support/programs.ts';
import { createVisitor, type Visit, type Visitor } from '../../support/visitor.ts';

const POSTERN = resolve(import.meta.dirname, '../../../bin/postern');
const LINK = '/a%20b/c%2Fd?x=%26&b=2&u=https://other.example//';

suite('signing in and out by forward-auth and Keycloak', { skip: skipWithout('kc') }, () => {
  let keycloak: Keycloak;
  let app: Server;
  let program: Program;
  let base: string;

  before(async () => {
    const [port = 0] = await freePorts(1);
    base = `http://app.localhost:${port}`;
    app = createServer((req, res) => res.end(`the app at ${req.url}`));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    keycloak = await startKeycloak({ signInUrl: 'http://localhost:1', backChannelUrl: 'http://localhost:1' });
    await keycloak.admin('POST', '/clients', {
      clientId: 'front',
      secret: CLIENT_SECRET,
      publicClient: false,
      redirectUris: [`${base}/oauth2/callback`],
      attributes: {
        'post.logout.redirect.uris': `${base}/*`,
        'backchannel.logout.url': `http://127.0.0.1:${port}/oauth2/backchannel-logout`,
        'backchannel.logout.session.required': 'true',
      },
    });
    program = startProgram(POSTERN, [
      'forward-auth',
      '--provider=keycloak-oidc',
      `--oidc-issuer-url=${keycloak.issuer}`,
      '--client-id=front',
      `--client-secret=${CLIENT_SECRET}`,
      '--scope=openid email profile',
      '--cookie-secret=0123456789abcdef0123456789abcdef',
      '--cookie-secure=false',
      '--email-domain=*',
      `--whitelist-domain=${new URL(keycloak.issuer).host}`,
      `--http-address=127.0.0.1:${port}`,
      `--upstream=http://127.0.0.1:${(app.address() as AddressInfo).port}/`,
    ]);
    await until(() => accepts(port), 'Postern listens');
  });
  after(async () => {
    await program?.stop();
    await keycloak?.close();
    app?.closeAllConnections();
    app?.close();
  });

  /** From the app's page through Postern's to Keycloak's form, or past it. */
  const knock = async (visitor: Visitor, link = LINK): Promise<Visit> =>
    visitor.submit(await visitor.open(base + link), {}, '/oauth2/start');
  const signIn = async (visitor: Visitor, name = 'alice'): Promise<Visit> =>
    visitor.submit(await knock(visitor), { username: name, password: `pw-${name}` });
  const check = async (visitor: Visitor): Promise<number> => (await visitor.send(`${base}/oauth2/auth`)).status;
  const isAtForm = (page: Visit): boolean => page.url.includes('/realms/') && page.body.includes('name="password"');

  test('a deep link survives to the byte, with PKCE and nonce that Keycloak asked for', async () => {
    const visitor = createVisitor();
    const form = await knock(visitor);
    assert.ok(isAtForm(form));
    const asked = new URL(form.url).searchParams;
    assert.equal(asked.get('code_challenge_method'), 'S256');
    assert.match(asked.get('nonce') ?? '', /^[\w-]{43}$/);
    const landed = await visitor.submit(form, { username: 'alice', password: 'pw-alice' });
    assert.equal(landed.url, base + LINK);
    assert.equal(landed.body, `the app at ${LINK}`);
    assert.equal(await check(visitor), 202);
    const names = visitor.cookies.filter(({ domain }) => domain === 'app.localhost').map(({ name }) => name);
    assert.deepEqual(names, ['_oauth2_proxy'], 'nothing of the sign-in is left');
  });

  test('a callback of somebody else is refused, and its code was not spent', async () => {
    const [attacker, victim] = [createVisitor(), createVisitor()];
    const form = await knock(attacker);
    // The attacker stops at the callback and sends it to the victim.
    const action = /action="([^"]+)"/.exec(form.body)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const body = 'username=bob&password=pw-bob';
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { headers: back } = await attacker.send(action, { method: 'POST', headers, body });
    const callback = back.location ?? '';
    assert.match(callback, /\/oauth2\/callback\?.*code=/);
    const refused = await victim.open(callback);
    assert.equal(refused.status, 403);
    assert.equal(await check(victim), 401);
    assert.equal((await attacker.open(callback)).status, 200, 'the code still works where it belongs');
    assert.equal(await check(attacker), 202);
  });

  test('signing out ends the session here; Keycloak still knows the person', async () => {
    const visitor = createVisitor();
    await signIn(visitor);
    await visitor.send(`${base}/oauth2/sign_out`);
    assert.equal(await check(visitor), 401);
    assert.equal((await knock(visitor)).url, base + LINK, 'no form');
  });

  test('signing out at Keycloak too, by rd with the id token, escaped or not', async () => {
    const target = `${keycloak.issuer}/protocol/openid-connect/logout?id_token_hint={id_token}&post_logout_redirect_uri=`;
    for (const escape of [encodeURIComponent, (text: string): string => text]) {
      const visitor = createVisitor();
      await signIn(visitor);
      const end = await visitor.open(
        `${base}/oauth2/sign_out?rd=${escape(target + encodeURIComponent(`${base}/bye`))}`,
      );
      assert.equal(end.url, `${base}/bye`, 'Keycloak took the token and led back');
      assert.equal(await check(visitor), 401);
      assert.ok(isAtForm(await knock(visitor)), 'Keycloak asks again');
    }
  });

  test('an administrator of Keycloak ends the session: the next request is refused (back-channel logout)', async () => {
    const [alice, bob] = [createVisitor(), createVisitor()];
    await signIn(alice);
    await signIn(bob, 'bob');
    await keycloak.logOut('alice');
    await until(async () => (await check(alice)) === 401, 'the session ends', AT_ONCE_MS);
    assert.equal(await check(bob), 202);
  });

  test('"use another account" makes Keycloak ask, though it knows somebody', async () => {
    const visitor = createVisitor();
    await signIn(visitor);
    const form = await visitor.open(`${base}/oauth2/start?rd=%2Fx&postern_switch=1`);
    assert.ok(isAtForm(form));
  });
});
