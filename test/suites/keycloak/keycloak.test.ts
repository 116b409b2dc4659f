/**
 * A team's way in: a real Keycloak decides by groups who enters which app. One sign-in for two unrelated
 * hosts, group changes, back-channel logout, an outage of the provider, new keys. One Keycloak for all.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createServer, type Server } from 'node:net';
import { WebSocket } from 'ws';
import { startGreetingApp } from '../../support/greeting-app.ts';
import type { GreetingApp } from '../../support/greeting-app.ts';
import { openBrowser, openContext, takePicture } from '../../support/browser.ts';
import { CLIENT_SECRET, startKeycloak } from '../../support/keycloak.ts';
import type { Keycloak } from '../../support/keycloak.ts';
import { endsWithinASecond, lastEnd } from '../../support/one-second.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';

/** The least that `recheck` can be. */
const RECHECK_MS = 10_000;
/** Whoever waits for longer was not asked about in their turn. */
const NEXT_REFRESH_MS = 3 * RECHECK_MS;
/** Passed on to tls.connect; the types of ws do not know it. */
const SERVER_NAME: object = { servername: 'wiki.localhost' };

suite('Keycloak decides who enters', { skip: skipWithout('kc') }, () => {
  let app: GreetingApp;
  let postern: PosternProcess;
  let keycloak: Keycloak;

  const document = (ports: { https: number; health: number }, kcPort: number): string => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers:
  keycloak:
    type: keycloak
    name: Team account
    issuer: http://localhost:${kcPort}/realms/main
    client_id: postern
    client_secret: "${CLIENT_SECRET}"
    email_domains: [example.com]
    recheck: 10s
    bearer: { audience: postern-api, azp: [ci] }
sign_in: { url: "https://auth.localhost:${ports.https}", keep_fragment: true }
hosts:
  wiki.localhost: { to: "http://127.0.0.1:${app.port}", allow: ["group:/developers"], tls: local }
  code.other.test: { to: "http://127.0.0.1:${app.port}", allow: ["keycloak:email-domain:example.com"], tls: local }
  roles.localhost: { to: "http://127.0.0.1:${app.port}", allow: ["role:reviewer"] }
  library.localhost: { to: "http://127.0.0.1:${app.port}", allow: ["role:library:reader"] }
  no-readers.localhost: { to: "http://127.0.0.1:${app.port}", deny: ["role:library:reader"], allow: [signed-in] }
`;

  before(async () => {
    app = await startGreetingApp();
    const [kcPort = 0] = await freePorts(1);
    postern = await startPostern({ document: (ports) => document(ports, kcPort) });
    const early = await createVisitor().open(`${url('wiki.localhost')}/`);
    assert.equal(early.status, 503, 'a provider that is down at the start gives a page');
    assert.match(early.body, /Team account is not available right now/);
    const ca = join(postern.dir, 'ca.pem');
    writeFileSync(ca, (await postern.cli('ca', 'export')).stdout);
    const signInUrl = `https://auth.localhost:${postern.https}`;
    keycloak = await startKeycloak({
      signInUrl,
      backChannelUrl: signInUrl,
      port: kcPort,
      trustedCa: ca,
      hosts: ['auth.localhost'],
    });
    await until(async () => (await createVisitor().open(`${url('wiki.localhost')}/`)).status === 200, 'discovery');
  });
  after(async () => {
    await postern?.close();
    await keycloak?.close();
    app?.close();
  });

  const url = (host: string): string => `https://${host}:${postern.https}`;

  const signIn = async (visitor: Visitor, address: string, name: string): Promise<Visit> => {
    const page = await visitor.open(address);
    assert.match(page.url, /\/realms\/main\//, `"${address}" leads to Keycloak: ${page.status} ${page.body}`);
    return visitor.submit(page, { username: name, password: `pw-${name}` });
  };

  const registerCallback = async (address: string): Promise<void> => {
    const [client] = (await keycloak.admin('GET', '/clients?clientId=postern')) as Record<string, unknown>[];
    const redirectUris = [...((client?.['redirectUris'] ?? []) as string[]), address];
    await keycloak.admin('PUT', `/clients/${String(client?.['id'])}`, { ...client, redirectUris });
  };

  const openSocket = async (visitor: Visitor): Promise<{ closed: Promise<number>; isOpen: () => boolean }> => {
    const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, {
      headers: { cookie: visitor.cookieHeader(`${url('wiki.localhost')}/`), host: `wiki.localhost:${postern.https}` },
      origin: url('wiki.localhost'),
      rejectUnauthorized: false,
      ...SERVER_NAME,
    });
    const closed = new Promise<number>((done) => {
      socket.on('close', () => done(Date.now()));
    });
    socket.on('error', () => undefined);
    await new Promise<void>((done, fail) => {
      socket.on('open', () => socket.send('hello'));
      socket.on('message', () => done());
      socket.on('close', () => fail(new Error('The WebSocket closed before it echoed')));
    });
    return { closed, isOpen: () => socket.readyState === WebSocket.OPEN };
  };

  test('alice enters two apps on unrelated hosts with one sign-in', async () => {
    const visitor = createVisitor();
    const wiki = await signIn(visitor, `${url('wiki.localhost')}/page?q=1`, 'alice');
    assert.equal(wiki.url, `${url('wiki.localhost')}/page?q=1`);
    assert.equal(wiki.body, 'app for alice');
    const code = await visitor.open(`${url('code.other.test')}/`);
    assert.deepEqual([code.status, code.body], [200, 'app for alice']);
    const roles = await visitor.open(`${url('roles.localhost')}/`);
    assert.equal(roles.status, 200, `realm roles come from the access token: ${roles.body}`);
  });

  test('the same in Chromium', { skip: skipWithout('chromium') }, async () => {
    const browser = await openBrowser('--host-resolver-rules=MAP *.other.test 127.0.0.1');
    try {
      const page = await (await openContext(browser)).newPage();
      await page.goto(`${url('wiki.localhost')}/page?q=1`);
      await page.fill('input[name="username"]', 'alice');
      await page.fill('input[name="password"]', 'pw-alice');
      await page.click('#kc-login');
      await page.waitForURL(`${url('wiki.localhost')}/page?q=1`);
      assert.equal(await page.textContent('body'), 'app for alice');
      await page.goto(`${url('code.other.test')}/deep?x=1`);
      assert.equal(page.url(), `${url('code.other.test')}/deep?x=1`, 'another domain, without another sign-in');
      assert.equal(await page.textContent('body'), 'app for alice');
      await page.goto(`${url('wiki.localhost')}/.postern/sign-out`);
      await takePicture(page, 'keycloak-sign-out');
      await page.click('button[type="submit"]');
      await page.waitForURL(/signed-out/);
      await page.goto(`${url('wiki.localhost')}/`);
      await page.waitForURL(/realms\/main/);
      assert.equal(await page.locator('#kc-login').count(), 1, 'Keycloak asks again');
    } finally {
      await browser.close();
    }
  });

  const FRAGMENTS = [
    '#/board/7?tab=a%20b',
    '#"><img src=x onerror=alert(1)>',
    '#//evil.example/',
    '#javascript:alert(1)',
    '#ü',
  ];

  test(
    'what stands after "#" survives the form of Keycloak, on every host, and neither it nor a server sees it',
    { skip: skipWithout('chromium') },
    async () => {
      const browser = await openBrowser('--host-resolver-rules=MAP *.other.test 127.0.0.1');
      try {
        for (const [n, fragment] of FRAGMENTS.entries()) {
          const context = await openContext(browser);
          const page = await context.newPage();
          const seen: string[] = [];
          page.on('framenavigated', (frame) => seen.push(frame.url()));
          page.on('dialog', () => assert.fail('a script of the fragment ran'));
          const host = url(n % 2 === 0 ? 'wiki.localhost' : 'code.other.test');
          await page.goto(`${host}/page?q=1${fragment}`);
          await page.waitForSelector('#kc-login');
          assert.equal(new URL(page.url()).hash, '', 'Keycloak is not told');
          await page.fill('input[name="username"]', 'alice');
          await page.fill('input[name="password"]', 'pw-alice');
          await page.click('#kc-login');
          const wanted = new URL(`${host}/page?q=1${fragment}`).href;
          await page.waitForURL((at) => at.href === wanted);
          assert.equal(await page.textContent('body'), 'app for alice');
          for (const one of seen) {
            const { hostname } = new URL(one);
            assert.ok(['localhost', 'auth.localhost', new URL(host).hostname].includes(hostname), one);
          }
          // The next host has no form in between, and keeps its own by redirects or by us.
          const other = url(n % 2 === 0 ? 'code.other.test' : 'wiki.localhost');
          await page.goto(`${other}/deep#second`);
          await page.waitForURL(`${other}/deep#second`);
          await page.goto(url('auth.localhost'));
          const left = await page.evaluate('JSON.stringify([sessionStorage.length, document.cookie])');
          assert.match(
            String(left),
            /^\[0,"[\w-]+-fragment=1"\]$/,
            'nothing of it stays, and script sees no other cookie',
          );
          await context.close();
        }
      } finally {
        await browser.close();
      }
    },
  );

  test(
    'without script the way to Keycloak and back is the same, and only what stands after "#" is lost',
    { skip: skipWithout('chromium') },
    async () => {
      const browser = await openBrowser();
      try {
        const page = await (await openContext(browser, { javaScriptEnabled: false })).newPage();
        await page.goto(`${url('wiki.localhost')}/page?q=1#gone`);
        await page.waitForSelector('#kc-login');
        await page.fill('input[name="username"]', 'alice');
        await page.fill('input[name="password"]', 'pw-alice');
        await page.click('#kc-login');
        await page.waitForURL(`${url('wiki.localhost')}/page?q=1`);
        assert.equal(await page.textContent('body'), 'app for alice');
      } finally {
        await browser.close();
      }
    },
  );

  test('bob is refused, is added to the group, and enters after the next refresh', async () => {
    const visitor = createVisitor();
    const refused = await signIn(visitor, `${url('wiki.localhost')}/`, 'bob');
    assert.equal(refused.status, 403);
    assert.match(refused.body, /bob/);
    await keycloak.addToGroup('bob', 'developers');
    await until(
      async () => (await visitor.open(`${url('wiki.localhost')}/`)).status === 200,
      'bob enters',
      NEXT_REFRESH_MS,
    );
  });

  test('a person who leaves the group loses the open WebSocket at the next refresh', async () => {
    const visitor = createVisitor();
    await keycloak.addToGroup('carol', 'developers');
    assert.equal((await signIn(visitor, `${url('wiki.localhost')}/`, 'carol')).status, 200);
    const socket = await openSocket(visitor);
    await keycloak.removeFromGroup('carol', 'developers');
    await until(() => !socket.isOpen(), 'the WebSocket closes', NEXT_REFRESH_MS);
    assert.equal((await visitor.open(`${url('wiki.localhost')}/`)).status, 403);
  });

  test('back-channel logout ends the session and drops the WebSocket within a second', async (t) => {
    const alice = createVisitor();
    await signIn(alice, `${url('wiki.localhost')}/`, 'alice');
    const other = await openSocket(alice);
    await endsWithinASecond(t, async () => {
      const visitor = createVisitor();
      assert.equal((await signIn(visitor, `${url('wiki.localhost')}/`, 'bob')).status, 200);
      const own = await openSocket(visitor);
      await keycloak.logOut('bob');
      const acknowledgedAt = Date.now();
      const endedAt = await lastEnd([own.closed], "bob's WebSocket");
      const after = await visitor.send(`${url('wiki.localhost')}/`, { headers: { accept: 'application/json' } });
      assert.equal(after.status, 401);
      return { acknowledgedAt, endedAt };
    });
    assert.ok(other.isOpen(), "another person's goes on");
  });

  test('signing out ends the session with Keycloak too', async () => {
    const visitor = createVisitor();
    await signIn(visitor, `${url('wiki.localhost')}/`, 'alice');
    const form = await visitor.open(`${url('wiki.localhost')}/.postern/sign-out`);
    const after = await visitor.submit(form, {}, 'sign-out');
    assert.equal(after.url, `https://auth.localhost:${postern.https}/.postern/signed-out`);
    assert.match((await visitor.open(`${url('wiki.localhost')}/`)).body, /name="password"/, 'Keycloak asks again');
  });

  test('a machine with an access token of its own client enters by its realm role, without it does not', async () => {
    const { admin, port } = keycloak;
    const mapper = {
      name: 'api',
      protocol: 'openid-connect',
      protocolMapper: 'oidc-audience-mapper',
      config: { 'included.custom.audience': 'postern-api', 'access.token.claim': 'true' },
    };
    const grants = { serviceAccountsEnabled: true, standardFlowEnabled: false, publicClient: false };
    for (const clientId of ['ci', 'web'])
      await admin('POST', '/clients', { clientId, secret: 'of-ci', ...grants, protocolMappers: [mapper] });
    const tokenOf = async (clientId: string): Promise<string> => {
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: 'of-ci',
      });
      const answer = await fetch(`http://localhost:${port}/realms/main/protocol/openid-connect/token`, {
        method: 'POST',
        body,
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const enter = async (token: string): Promise<Visit> =>
      createVisitor().send(`${url('roles.localhost')}/`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await enter(await tokenOf('ci'))).status, 403, 'no role yet');
    const [user] = (await admin('GET', '/users?username=service-account-ci')) as { id: string }[];
    await admin('POST', `/users/${user?.id ?? ''}/role-mappings/realm`, [await admin('GET', '/roles/reviewer')]);
    const entered = await enter(await tokenOf('ci'));
    assert.deepEqual([entered.status, entered.body], [200, 'app for service-account-ci']);
    assert.equal((await enter(await tokenOf('web'))).status, 401, 'a client that may not ask');
  });

  test('roles of the realm in the ID token and those of a client in the access token, or in userinfo, as mappers have it', async () => {
    const { admin } = keycloak;
    type Mapper = { id: string; name: string; config: Record<string, string> };
    const scopes = (await admin('GET', '/client-scopes')) as { id: string; name: string; protocolMappers: Mapper[] }[];
    const scope = scopes.find(({ name }) => name === 'roles');
    const put = async (mapper: string, place: 'id' | 'access' | 'userinfo'): Promise<void> => {
      const found = scope?.protocolMappers.find(({ name }) => name === mapper);
      const places = ['id', 'access', 'userinfo'].map((one) => [`${one}.token.claim`, String(one === place)] as const);
      const changed = { ...found, config: { ...found?.config, ...Object.fromEntries(places) } };
      await admin('PUT', `/client-scopes/${scope?.id ?? ''}/protocol-mappers/models/${found?.id ?? ''}`, changed);
    };
    await admin('POST', '/clients', { clientId: 'library', publicClient: true });
    const [library] = (await admin('GET', '/clients?clientId=library')) as { id: string }[];
    const role = `/clients/${library?.id ?? ''}/roles`;
    await admin('POST', role, { name: 'reader' });
    const [alice] = (await admin('GET', '/users?username=alice&exact=true')) as { id: string }[];
    await admin('POST', `/users/${alice?.id ?? ''}/role-mappings/clients/${library?.id ?? ''}`, [
      await admin('GET', `${role}/reader`),
    ]);
    try {
      for (const [ofRealm, ofClients] of [
        ['access', 'access'],
        ['id', 'access'],
        ['access', 'id'],
        ['access', 'userinfo'],
        ['userinfo', 'userinfo'],
      ] as const) {
        await put('realm roles', ofRealm);
        await put('client roles', ofClients);
        const visitor = createVisitor();
        assert.equal((await signIn(visitor, `${url('roles.localhost')}/`, 'alice')).status, 200, ofRealm);
        assert.equal((await visitor.open(`${url('library.localhost')}/`)).status, 200, `${ofRealm}, ${ofClients}`);
        assert.equal((await visitor.open(`${url('no-readers.localhost')}/`)).status, 403, 'a deny holds as well');
      }
    } finally {
      await put('realm roles', 'access');
      await put('client roles', 'access');
    }
  });

  test('new keys: nobody notices', async () => {
    const visitor = createVisitor();
    await signIn(visitor, `${url('wiki.localhost')}/`, 'alice');
    await keycloak.rotateKeys();
    const fresh = createVisitor();
    assert.equal((await signIn(fresh, `${url('wiki.localhost')}/`, 'alice')).body, 'app for alice');
    await sleep(RECHECK_MS + 3_000);
    assert.equal(
      (await visitor.open(`${url('wiki.localhost')}/`)).body,
      'app for alice',
      'the refresh brought a token by the new key',
    );
  });

  test('postern check --live says what is wrong at Keycloak, in words', async () => {
    const good = await postern.cli('check', '--live', '--config', postern.configFile);
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /takes the redirect URI and the scopes/);
    const text = document({ https: postern.https, health: postern.health }, keycloak.port);
    const wrong: [from: string | RegExp, to: string, expected: RegExp][] = [
      [CLIENT_SECRET, 'another', /check "client_id" and "client_secret" of "providers.keycloak"/],
      [
        /sign_in: .*/,
        'sign_in: { url: "https://other.localhost" }',
        /register the redirect URI "https:\/\/other.localhost\/.postern\/callback\/keycloak"/,
      ],
      ['recheck: 10s', 'scopes: [openid, groups]', /refuses a scope of "openid groups".*leave it out of "scopes"/],
      ['/realms/main', '/realms/none', /answered 404.*check "issuer" of "providers.keycloak"/],
      ['http://localhost', 'https://localhost', /check scheme and port of "issuer"/],
    ];
    for (const [from, to, expected] of wrong) {
      const file = join(postern.dir, 'wrong.yaml');
      writeFileSync(file, text.replace(from, to));
      const checked = await postern.cli('check', '--live', '--config', file);
      assert.equal(checked.code, 1);
      assert.match(checked.stderr, expected);
    }
    // What Keycloak itself is set to. One cause is said once, with what to change there.
    const [client] = (await keycloak.admin('GET', '/clients?clientId=postern')) as { id: string; attributes: object }[];
    const set = (changes: object): Promise<unknown> =>
      keycloak.admin('PUT', `/clients/${client?.id ?? ''}`, { ...client, ...changes });
    const unlike: [changes: object, expected: RegExp][] = [
      [{ standardFlowEnabled: false }, /Standard flow is disabled for the client.*Keycloak: "Standard flow"/],
      [{ enabled: false }, /check "client_id" and "client_secret"/],
      [{ clientAuthenticatorType: 'client-jwt' }, /"Client Authenticator" is "Client Id and Secret"/],
      [{ attributes: { ...client?.attributes, 'pkce.code.challenge.method': 'plain' } }, /PKCE by S256/],
    ];
    try {
      for (const [changes, expected] of unlike) {
        await set(changes);
        const checked = await postern.cli('check', '--live', '--config', postern.configFile);
        assert.equal(checked.code, 1, JSON.stringify(changes));
        assert.match(checked.stderr, expected);
        assert.doesNotMatch(checked.stderr, /register the redirect URI/);
      }
    } finally {
      await set({ attributes: { ...client?.attributes, 'pkce.code.challenge.method': '' } });
    }
  });

  test('a mapper that is missing: whoever is refused for it reads so, the log says the remedy, and check --live knows the claim', async () => {
    const [client] = (await keycloak.admin('GET', '/clients?clientId=postern')) as {
      id: string;
      protocolMappers: { id: string; name: string }[];
    }[];
    const mapper = client?.protocolMappers.find(({ name }) => name === 'groups');
    const mappers = `/clients/${client?.id ?? ''}/protocol-mappers/models`;
    await keycloak.admin('DELETE', `${mappers}/${mapper?.id ?? ''}`);
    try {
      const from = postern.output().length;
      const refused = await signIn(createVisitor(), `${url('wiki.localhost')}/`, 'alice');
      assert.equal(refused.status, 403, refused.body);
      assert.match(refused.body, /named no groups of this account/);
      assert.doesNotMatch(refused.body, /groups_claim|providers\./, 'what to change is for whoever may know the rules');
      await postern.waitFor(/Claim \\"groups\\" is missing.*add a mapper \\"Group Membership\\"/, from);
      const checked = await postern.cli('check', '--live', '--config', postern.configFile);
      assert.equal(checked.code, 0, checked.stderr);
      assert.match(checked.stdout, /does not list the claim "groups".*add a mapper "Group Membership"/);
    } finally {
      const { id: _, ...same } = mapper ?? { id: '', name: '' };
      await keycloak.admin('POST', mappers, same);
    }
    const back = await signIn(createVisitor(), `${url('wiki.localhost')}/`, 'alice');
    assert.equal(back.status, 200);
  });

  test('a scope that the realm does not define is explained on the page and in the log', async () => {
    const text = document({ https: postern.https, health: postern.health }, keycloak.port);
    postern.writeConfig(text.replace('recheck: 10s', 'recheck: 10s\n    scopes: [openid, groups]'));
    assert.equal((await postern.cli('reload')).code, 0);
    const from = postern.output().length;
    const page = await createVisitor().open(`${url('wiki.localhost')}/`);
    assert.equal(page.status, 502);
    assert.match(page.body, /refused a permission[\s\S]*leave it out of &quot;scopes&quot;/);
    await postern.waitFor(/Invalid scopes[^"]*openid groups/, from);
    postern.writeConfig(text);
    assert.equal((await postern.cli('reload')).code, 0);
  });

  test('Keycloak as one of the hosts: by its public name through the gateway, and by internal_url; start in any order', async () => {
    const target = `http://127.0.0.1:${app.port}`;
    // Where Keycloak is once it has come up: the gateway before it is there first.
    const [later = 0] = await freePorts(1);
    const documentOf = (host: string, how: string) => (ports: { https: number; health: number }) =>
      `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers:
  keycloak:
    type: keycloak
    issuer: https://${host}:${ports.https}/realms/main
    client_id: postern
    client_secret: "${CLIENT_SECRET}"
    ${how}
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  ${host}: { to: "http://127.0.0.1:${later}", allow: [public], tls: local }
  app.localhost: { to: "${target}", allow: ["group:/developers"] }
`;
    for (const way of ['public', 'internal'] as const) {
      const host = way === 'public' ? 'localhost' : 'id.localhost';
      const internal = `internal_url: http://127.0.0.1:${later}`;
      const own = await startPostern({ document: documentOf(host, way === 'public' ? 'recheck: 5m' : internal) });
      const address = `https://app.localhost:${own.https}/`;
      let relay: Server | null = null;
      try {
        const early = await createVisitor().open(address);
        assert.equal(early.status, 503, `Keycloak comes up later, ${way}`);
        assert.match(early.body, /not available right now/);
        relay = await startRelay(later, keycloak.port);
        if (way === 'public') {
          await own.waitFor(/cannot trust \\?"https:\/\/localhost.*name its CA by \\?"ca/);
          writeFileSync(join(own.dir, 'ca.pem'), (await own.cli('ca', 'export')).stdout);
          own.writeConfig(documentOf(host, 'ca: ca.pem')(own));
          assert.equal((await own.cli('reload')).code, 0);
        }
        await registerCallback(`https://auth.localhost:${own.https}/.postern/callback/keycloak`);
        const visitor = createVisitor();
        await until(async () => (await createVisitor().open(address)).status === 200, `discovery by ${way}`);
        const page = await visitor.open(address);
        assert.ok(page.url.startsWith(`https://${host}:${own.https}/realms/main`), page.url);
        const after = await visitor.submit(page, { username: 'alice', password: 'pw-alice' });
        assert.deepEqual([after.status, after.body], [200, 'app for alice'], own.output().slice(-2_000));
      } finally {
        await own.close();
        relay?.close();
      }
    }
  });

  test('Keycloak stops: people inside go on, new ones get a clear page, nobody is signed out', async () => {
    const visitor = createVisitor();
    await signIn(visitor, `${url('wiki.localhost')}/`, 'alice');
    const socket = await openSocket(visitor);
    await keycloak.stop();
    for (const until = Date.now() + RECHECK_MS + 6_000; Date.now() < until; await sleep(500)) {
      const inside = await visitor.open(`${url('wiki.localhost')}/`);
      assert.deepEqual([inside.status, inside.body], [200, 'app for alice']);
    }
    assert.ok(socket.isOpen());
    const page = await createVisitor().open(`${url('wiki.localhost')}/`);
    assert.equal(page.status, 503);
    assert.match(page.body, /Team account is not available right now[\s\S]*Nobody has been signed out/);
    await keycloak.start();
    const again = createVisitor();
    await until(async () => (await createVisitor().open(`${url('wiki.localhost')}/`)).status === 200, 'discovery');
    assert.equal((await signIn(again, `${url('wiki.localhost')}/`, 'alice')).status, 200);
    assert.ok(socket.isOpen());
  });
});

/** What comes to the one port goes to the other. */
function startRelay(from: number, to: number): Promise<Server> {
  const server = createServer((socket) => {
    const onward = connect(to, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
  });
  return new Promise((done) => {
    server.listen(from, '127.0.0.1', () => done(server));
  });
}
