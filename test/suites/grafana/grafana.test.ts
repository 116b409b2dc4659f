/**
 * Postern in front of what Grafana's documents say of auth.proxy and auth.jwt (twin.ts), set up as docs/recipes/grafana.md
 * says: who signed in is that user with that role, by header fields or by the assertion; machines with Grafana's own
 * tokens; Live over WebSocket; and nobody says to be somebody else.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { WebSocket } from 'ws';
import type { JSONWebKeySet } from 'jose';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { AT_ONCE_MS, until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import { startGrafanaTwin } from './twin.ts';
import type { GrafanaUser, Twin } from './twin.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Visit, VisitOptions, Visitor } from '../../support/visitor.ts';

const SERVICE_ACCOUNTS = { 'glsa_of-the-pipeline': 'sa-pipeline' };

suite('Grafana behind Postern', () => {
  let postern: PosternProcess;
  let byFields: Twin;
  let byAssertion: Twin;
  let stranger: Twin;
  let token = '';
  const people = new Map<string, Visitor>();
  const urls = { grafana: '', metrics: '' };
  const as = (name: string): Visitor => people.get(name) ?? createVisitor();
  const ask = (name: string, host: keyof typeof urls, options: VisitOptions = {}): Promise<Visit> =>
    as(name).send(`${urls[host]}/api/user`, options);
  const userOf = (visit: Visit): GrafanaUser => {
    assert.equal(visit.status, 200, visit.body);
    return JSON.parse(visit.body) as GrafanaUser;
  };

  before(async () => {
    const [https = 0, health = 0] = await freePorts(2);
    urls.grafana = `https://grafana.localhost:${https}`;
    urls.metrics = `https://metrics.localhost:${https}`;
    const proxy = {
      headerName: 'X-WEBAUTH-USER',
      headers: 'Email:X-WEBAUTH-EMAIL Groups:X-WEBAUTH-GROUPS Role:X-WEBAUTH-ROLE',
    };
    byFields = await startGrafanaTwin({
      rootUrl: urls.grafana,
      proxy: { ...proxy, whitelist: ['127.0.0.1'] },
      serviceAccounts: SERVICE_ACCOUNTS,
    });
    stranger = await startGrafanaTwin({ rootUrl: urls.grafana, proxy: { ...proxy, whitelist: ['192.0.2.1'] } });
    byAssertion = await startGrafanaTwin({
      rootUrl: urls.metrics,
      serviceAccounts: SERVICE_ACCOUNTS,
      jwt: {
        headerName: 'Postern-Assertion',
        usernameClaim: 'preferred_username',
        emailClaim: 'email',
        expectClaims: { iss: `https://auth.localhost:${https}`, aud: 'grafana', kind: 'person' },
        // contains(groups[*], 'ops') && 'Admin' || 'Viewer'
        roleOf: ({ groups }) => (Array.isArray(groups) && groups.includes('ops') ? 'Admin' : 'Viewer'),
        async fetchKeys() {
          const { body, headers } = await createVisitor().send(`${urls.metrics}/.postern/jwks.json`);
          assert.match(String(headers['cache-control']), /max-age=\d+/);
          return JSON.parse(body) as JSONWebKeySet;
        },
      },
    });
    const names = '{ user: X-WEBAUTH-USER, email: X-WEBAUTH-EMAIL, name: X-WEBAUTH-NAME, groups: X-WEBAUTH-GROUPS }';
    postern = await startPostern({
      ports: { https, health },
      document: () => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
maps: { grafana_role: { "group:ops": Admin, "group:staff": Viewer, "token:ci": Viewer } }
defaults: { allow: ["group:staff", "group:ops", "token:ci"] }
hosts:
  grafana.localhost: { to: "http://127.0.0.1:${byFields.port}", identity_headers: ${names}, add_headers: { X-WEBAUTH-ROLE: "{map.grafana_role}" } }
  other.localhost: { to: "http://127.0.0.1:${stranger.port}", identity_headers: ${names} }
  metrics.localhost: { to: "http://127.0.0.1:${byAssertion.port}", identity_headers: assertion, assertion_audience: grafana }
`,
    });
    for (const [name, groups] of Object.entries({ ada: ['ops', 'staff'], bob: ['staff'] })) {
      const more = ['--email', `${name}@example.com`];
      const password = await addUser(postern, name, groups, more);
      people.set(name, await signIn(`${urls.grafana}/`, name, password));
      await as(name).open(`${urls.metrics}/`);
    }
    token = (await postern.cli('token', 'create', '--for', 'ci')).stdout.trim();
  });
  after(async () => {
    await postern?.close();
    for (const twin of [byFields, byAssertion, stranger]) await twin?.close();
  });

  test('auth.proxy: login, groups and a role by group', async () => {
    const ada = userOf(await ask('ada', 'grafana'));
    assert.deepEqual([ada.login, ada.groups, ada.orgRole], ['ada', 'ops,staff', 'Admin']);
    const bob = userOf(await ask('bob', 'grafana'));
    assert.deepEqual([bob.login, bob.groups, bob.orgRole], ['bob', 'staff', 'Viewer']);
  });

  test('auth.jwt: login and a role by the claims of the assertion', async () => {
    const ada = userOf(await ask('ada', 'metrics'));
    assert.deepEqual([ada.login, ada.orgRole], ['ada', 'Admin']);
    const bob = userOf(await ask('bob', 'metrics'));
    assert.deepEqual([bob.login, bob.orgRole], ['bob', 'Viewer']);
  });

  test('nobody takes another name, group or role, and no token in the address counts', async () => {
    const claims = {
      'X-WEBAUTH-USER': 'ada',
      X_WEBAUTH_ROLE: 'Admin',
      'X-WEBAUTH-ROLE': 'Admin',
      'X-WebAuth.Groups': 'ops',
      'Postern-Assertion': 'e30.e30.',
    };
    for (const host of ['grafana', 'metrics'] as const) {
      const bob = userOf(await ask('bob', host, { headers: claims }));
      assert.deepEqual([bob.login, bob.orgRole], ['bob', 'Viewer']);
    }
    assert.equal((await ask('nobody', 'grafana', { headers: claims })).status, 401);
    assert.equal((await as('nobody').send(`${urls.metrics}/api/user?auth_token=e30.e30.`)).status, 401);
  });

  test('a Grafana that whitelists another proxy answers 407, and Postern passes that on', async () => {
    const visitor = as('ada');
    const answer = await visitor.open(`https://other.localhost:${postern.https}/api/user`);
    assert.equal(answer.status, 407);
    assert.match(answer.body, /authentication proxy/);
  });

  test('a deep link survives sign-in to the byte', async () => {
    const link = '/d/ab12/disk?orgId=1&var-host=a%2Fb&from=now-6h&var-x=%7B1%7D';
    await signIn(urls.grafana + link, 'ada', 'correct horse ada');
    assert.equal(byFields.seen.at(-1), link);
  });

  test("a machine's own Grafana token passes beside Postern's, and not without it", async () => {
    const own = { authorization: 'Bearer glsa_of-the-pipeline' };
    for (const host of ['grafana', 'metrics'] as const) {
      const both = await ask('nobody', host, { headers: { ...own, 'postern-authorization': `Bearer ${token}` } });
      assert.equal(userOf(both).login, 'sa-pipeline');
      assert.equal((await ask('nobody', host, { headers: own })).status, 401);
    }
  });

  test('a machine is no person: by the assertion it is nobody without a token of Grafana', async () => {
    const headers = { 'postern-authorization': `Bearer ${token}` };
    assert.equal((await ask('nobody', 'metrics', { headers })).status, 401);
  });

  test('what Grafana checks of Origin against Host holds, and passes from its own pages', async () => {
    const post = (origin: string): Promise<Visit> =>
      as('ada').send(`${urls.grafana}/api/dashboards/db`, { method: 'POST', headers: { origin }, body: '{}' });
    assert.equal((await post(urls.grafana)).status, 200);
    assert.equal((await post('https://evil.example')).status, 403);
  });

  const openLive = (name: string, host: keyof typeof urls, origin = urls[host]): Promise<WebSocket> =>
    new Promise((done, fail) => {
      const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/api/live/ws`, {
        headers: { cookie: as(name).cookieHeader(`${urls[host]}/`), host: new URL(urls[host]).host },
        origin,
        rejectUnauthorized: false,
        ...({ servername: new URL(urls[host]).hostname } as object),
      });
      socket.on('open', () => done(socket));
      socket.on('error', fail);
    });

  test('Live: a WebSocket has its person, another site none, and ends with the session', async () => {
    await assert.rejects(openLive('bob', 'grafana', 'https://evil.example'), /403/);
    await assert.rejects(openLive('nobody', 'grafana'), /401/);
    for (const host of ['grafana', 'metrics'] as const) {
      const live = await openLive('ada', host);
      const heard = new Promise((done) => {
        live.on('message', (data) => done((data as Buffer).toString()));
      });
      live.send('hello');
      assert.equal(await heard, 'ada: hello');
      live.terminate();
    }
    const live = await openLive('bob', 'grafana');
    let isClosed = false;
    live.on('close', () => (isClosed = true));
    assert.equal((await postern.cli('sessions', 'revoke', '--user', 'bob')).code, 0);
    await until(() => isClosed, 'Live closes', AT_ONCE_MS);
    assert.equal((await ask('bob', 'grafana')).status, 401);
  });
});
