/**
 * Apps that ask for the person's tokens of a real Keycloak, and check them by its keys: fresh ones, over
 * HTTP/1.1, HTTP/2 and WebSocket, for nobody else's host, through an outage, and in no log, page or file.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { WebSocket, WebSocketServer } from 'ws';
import { CLIENT_SECRET, startKeycloak } from '../../support/keycloak.ts';
import type { Keycloak } from '../../support/keycloak.ts';
import { Pulse } from '../../support/one-second.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createTimeLimit } from '../../support/time-limit.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visitor } from '../../support/visitor.ts';

/** Short enough to live through several, long enough for `recheck`'s least of 10 s to renew them. */
const TOKEN_SECONDS = 14;
const SERVER_NAME: object = { servername: 'api.localhost' };

interface Seen {
  readonly headers: IncomingHttpHeaders;
  /** When the app got it, of `Date.now()`; a stop of the machine while it was on its way is taken off. */
  readonly at: number;
}

suite('Apps get the tokens they ask for', { skip: skipWithout('kc') }, () => {
  let app: Server;
  let h2c: http2.Http2Server;
  let postern: PosternProcess;
  let keycloak: Keycloak;
  let keys: ReturnType<typeof createRemoteJWKSet>;
  const tokens = new Set<string>();
  const pulse = new Pulse();
  /** How many different ones there may be in a time: they are renewed when they are ten seconds old. */
  const mostTokens = (ms: number): number => 1 + Math.floor(ms / (TOKEN_SECONDS * 500));

  const remember = (headers: IncomingHttpHeaders): Seen => {
    const bearer = /^Bearer (ey.+)$/.exec(headers.authorization ?? '')?.[1];
    for (const one of [bearer, headers['x-id-token']]) if (typeof one === 'string') tokens.add(one);
    return { headers, at: Date.now() };
  };
  const document = (ports: { https: number; health: number }, kcPort: number): string => {
    const to = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    return `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
log: { level: debug }
providers:
  keycloak: { type: keycloak, issuer: "http://localhost:${kcPort}/realms/main", client_id: postern, client_secret: "${CLIENT_SECRET}", recheck: 10s }
  local: { type: local }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  api.localhost:
    to: "${to}"
    allow: [signed-in, "token:ci"]
    identity_headers: [forwarded, { access_token: Authorization, id_token: X-Id-Token }]
  h2.localhost:
    to: "h2c://127.0.0.1:${(h2c.address() as AddressInfo).port}"
    allow: [signed-in]
    identity_headers: { access_token: Authorization }
  wiki.localhost:
    allow: [signed-in, "token:ci"]
    paths:
      /*: { to: "${to}" }
      /api/*: { to: "${to}", identity_headers: { access_token: X-Token } }
  who.localhost: { to: "app:whoami", allow: [signed-in], identity_headers: { access_token: Authorization } }
  no.localhost: { to: "${to}", allow: ["keycloak:group:/nobody"], identity_headers: { access_token: Authorization } }
`;
  };

  before(async () => {
    app = createServer((request, response) => response.end(JSON.stringify(remember(request.headers))));
    const sockets = new WebSocketServer({ server: app });
    sockets.on('connection', (socket, request) => socket.send(JSON.stringify(remember(request.headers))));
    h2c = http2.createServer((request, response) => response.end(JSON.stringify(remember(request.headers))));
    for (const server of [app, h2c])
      await new Promise<void>((done) => {
        server.listen(0, '127.0.0.1', () => done());
      });
    const [kcPort = 0] = await freePorts(1);
    postern = await startPostern({ document: (ports) => document(ports, kcPort) });
    const signInUrl = `https://auth.localhost:${postern.https}`;
    keycloak = await startKeycloak({
      signInUrl,
      backChannelUrl: signInUrl,
      port: kcPort,
      accessTokenSeconds: TOKEN_SECONDS,
    });
    keys = createRemoteJWKSet(new URL(`${keycloak.issuer}/protocol/openid-connect/certs`));
    await until(
      async () => (await createVisitor().open(`${url('wiki.localhost')}/?provider`)).status === 200,
      'discovery',
    );
  });
  after(async () => {
    pulse.stop();
    await postern?.close();
    await keycloak?.close();
    app?.closeAllConnections();
    app?.close();
    h2c?.close();
  });

  const url = (host: string): string => `https://${host}:${postern.https}`;

  const signInBy = async (provider: string, name: string, password: string): Promise<Visitor> => {
    const visitor = createVisitor();
    const chooser = await visitor.open(`${url('api.localhost')}/`);
    const links = [...chooser.body.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => link.replaceAll('&amp;', '&'));
    const link = links.find((one) => one.includes(`provider=${provider}`)) ?? '';
    const page = await visitor.open(new URL(link, chooser.url).href);
    const fields = provider === 'local' ? { name, password } : { username: name, password };
    const after = await visitor.submit(page, fields, provider === 'local' ? 'sign-in' : '');
    assert.deepEqual([after.status, after.url], [200, `${url('api.localhost')}/`], after.body);
    return visitor;
  };

  const signInByKeycloak = (name: string): Promise<Visitor> => signInBy('keycloak', name, `pw-${name}`);

  /** As the app does that trusts nobody but Keycloak. */
  const verify = async (seen: Seen, name: string): Promise<string> => {
    const token = /^Bearer (.+)$/.exec(seen.headers.authorization ?? '')?.[1] ?? '';
    const { payload } = await jwtVerify(token, keys, { issuer: keycloak.issuer, currentDate: new Date(seen.at) });
    assert.equal(payload['preferred_username'], name);
    assert.ok((payload.exp ?? 0) * 1_000 > seen.at, 'it is good for a while');
    return token;
  };

  const get = async (visitor: Visitor, host: string, headers: Record<string, string> = {}): Promise<Seen> => {
    const askedAt = Date.now();
    const page = await visitor.send(`${url(host)}/data`, { headers });
    assert.equal(page.status, 200, `${host}: ${page.status} ${page.body}`);
    const seen = JSON.parse(page.body) as Seen;
    pulse.beat();
    return { ...seen, at: seen.at - pulse.lostIn(askedAt, seen.at) };
  };

  const getByHttp2 = async (visitor: Visitor): Promise<Seen> => {
    const session = http2.connect(`https://127.0.0.1:${postern.https}`, { rejectUnauthorized: false, ...SERVER_NAME });
    const stream = session.request({
      ':authority': `api.localhost:${postern.https}`,
      ':path': '/data',
      cookie: visitor.cookieHeader(`${url('api.localhost')}/`),
      authorization: 'Bearer of-the-client',
    });
    let body = '';
    for await (const chunk of stream) body += String(chunk);
    session.close();
    return JSON.parse(body) as Seen;
  };

  const getByWebSocket = (visitor: Visitor): Promise<Seen> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, {
        headers: {
          cookie: visitor.cookieHeader(`${url('api.localhost')}/`),
          host: `api.localhost:${postern.https}`,
          authorization: 'Bearer of-the-client',
        },
        origin: url('api.localhost'),
        rejectUnauthorized: false,
        ...SERVER_NAME,
      });
      socket.on('message', (data: Buffer) => {
        resolve(JSON.parse(data.toString()) as Seen);
        socket.close();
      });
      socket.on('error', reject);
    });

  test('an app verifies the access token by the keys of Keycloak, over HTTP/1.1, HTTP/2 and WebSocket', async () => {
    const alice = await signInByKeycloak('alice');
    const seen = await get(alice, 'api.localhost', { authorization: 'Bearer of-the-client', 'x-id-token': 'forged' });
    await verify(seen, 'alice');
    const { payload } = await jwtVerify(String(seen.headers['x-id-token']), keys, { audience: 'postern' });
    assert.equal(payload['preferred_username'], 'alice');
    assert.equal(seen.headers['x-forwarded-user'], 'keycloak:alice');
    await verify(await getByHttp2(alice), 'alice');
    await verify(await getByWebSocket(alice), 'alice');
    // The hand-off to the next host.
    await alice.open(`${url('h2.localhost')}/`);
    await verify(await get(alice, 'h2.localhost'), 'alice');
    const bob = await signInByKeycloak('bob');
    await verify(await get(bob, 'api.localhost'), 'bob');
    await verify(await get(alice, 'api.localhost'), 'alice');
  });

  test('a host that does not ask gets none, and what a client says under the names reaches no app', async () => {
    const alice = await signInByKeycloak('alice');
    await alice.open(`${url('wiki.localhost')}/`);
    const seen = await get(alice, 'wiki.localhost', {
      authorization: 'Bearer glsa_of-the-app',
      'x_id.token': 'forged',
    });
    assert.equal(seen.headers.authorization, 'Bearer glsa_of-the-app', 'the credential of the app passes untouched');
    assert.deepEqual(
      Object.keys(seen.headers).filter((name) => /id.token/.test(name)),
      [],
    );
    const onPath = await alice.send(`${url('wiki.localhost')}/api/x`);
    const { headers, at } = JSON.parse(onPath.body) as Seen;
    await verify({ headers: { authorization: `Bearer ${String(headers['x-token'])}` }, at }, 'alice');
    assert.equal((await get(alice, 'wiki.localhost')).headers['x-token'], undefined, 'nor does another path');
    await alice.open(`${url('h2.localhost')}/`);
    assert.equal((await get(alice, 'h2.localhost')).headers['x-id-token'], undefined, 'only what it asks for');
  });

  test('a local account and a machine have none: the field is not sent, and the one of the client neither', async () => {
    const password = await addUser(postern, 'lea');
    const lea = await signInBy('local', 'lea', password);
    const seen = await get(lea, 'api.localhost', { authorization: 'Bearer of-the-client' });
    assert.deepEqual([seen.headers.authorization, seen.headers['x-id-token']], [undefined, undefined]);
    assert.equal(seen.headers['x-forwarded-user'], 'local:lea');
    const token = (await postern.cli('token', 'create', '--for', 'ci')).stdout.trim();
    const machine = await get(createVisitor(), 'api.localhost', {
      'postern-authorization': `Bearer ${token}`,
      authorization: 'Bearer of-the-client',
    });
    assert.equal(machine.headers['x-forwarded-user'], 'ci');
    assert.equal(machine.headers.authorization, undefined);
  });

  test('every token is fresh, renewed before the old one ends, and nobody signs in for it', async () => {
    const alice = await signInByKeycloak('alice');
    const seen = new Set<string>();
    const begunAt = Date.now();
    const isOver = createTimeLimit(2.5 * TOKEN_SECONDS * 1_000);
    while (!isOver()) {
      const answers = await Promise.all(Array.from({ length: 5 }, () => get(alice, 'api.localhost')));
      for (const one of answers) seen.add(await verify(one, 'alice'));
      await sleep(500);
    }
    const most = mostTokens(Date.now() - begunAt);
    assert.ok(seen.size >= 3 && seen.size <= most, `${seen.size} tokens, at most ${most}`);
    await sleep((TOKEN_SECONDS + 3) * 1_000);
    const backAt = Date.now();
    const late = await Promise.all(Array.from({ length: 8 }, () => get(alice, 'api.localhost')));
    const fresh = new Set(await Promise.all(late.map((one) => verify(one, 'alice'))));
    assert.ok(fresh.size <= mostTokens(Date.now() - backAt), 'renewed once for all who came after a pause');
    assert.ok(![...fresh].some((one) => seen.has(one)));
  });

  test('Keycloak away: what there is serves to its end, then the app is closed and explained, the others open', async () => {
    const signedInAt = Date.now();
    const alice = await signInByKeycloak('alice');
    await alice.open(`${url('wiki.localhost')}/`);
    await get(alice, 'api.localhost');
    await keycloak.stop();
    const late = await alice.send(`${url('api.localhost')}/data`);
    // On a busy machine Keycloak may take as long to stop as its token lasts.
    if (late.status === 200) await verifyLate(JSON.parse(late.body) as Seen);
    else assert.ok(Date.now() - signedInAt > (TOKEN_SECONDS - 7) * 1_000, `${late.status} ${late.body}`);
    let refused = await alice.send(`${url('api.localhost')}/`, { headers: { accept: 'text/html' } });
    await until(async () => {
      refused = await alice.send(`${url('api.localhost')}/`, { headers: { accept: 'text/html' } });
      return refused.status === 503;
    }, 'the end of the token');
    assert.match(refused.body, /Your sign-in cannot be renewed right now/);
    assert.equal(refused.headers['retry-after'], '5');
    await get(alice, 'wiki.localhost');
    await postern.waitFor('"reason":"token-unavailable"');
    await keycloak.start();
    await until(async () => (await alice.send(`${url('api.localhost')}/`)).status === 200, 'Keycloak again');
    await verify(await get(alice, 'api.localhost'), 'alice');
  });

  /** Keycloak's keys cannot be fetched while it is stopped; they are known from before. */
  const verifyLate = (seen: Seen): Promise<string> => verify(seen, 'alice');

  test('no refresh token, and the token has ended: the person goes to Keycloak again, a program gets 401, no app an empty field', async () => {
    const setRefreshTokens = async (isOn: boolean): Promise<void> => {
      const [client] = (await keycloak.admin('GET', '/clients?clientId=postern')) as Record<string, unknown>[];
      const attributes = { ...(client?.['attributes'] as object), 'use.refresh.tokens': String(isOn) };
      await keycloak.admin('PUT', `/clients/${String(client?.['id'])}`, { ...client, attributes });
    };
    await setRefreshTokens(false);
    try {
      const alice = await signInByKeycloak('alice');
      await alice.open(`${url('wiki.localhost')}/`);
      const first = await verify(await get(alice, 'api.localhost'), 'alice');
      const fetched = (): ReturnType<Visitor['send']> =>
        alice.send(`${url('api.localhost')}/data`, {
          headers: { accept: 'application/json', 'sec-fetch-mode': 'cors' },
        });
      let refused = await fetched();
      // As long as it is served there is a good token: `remember` and `verify` hold that elsewhere.
      await until(async () => (refused = await fetched()).status !== 200, 'the end of the token');
      assert.equal(refused.status, 401, refused.body);
      const told = JSON.parse(refused.body) as Record<string, string>;
      assert.equal(told['error'], 'provider_token_expired');
      assert.equal(told['sign_in_url'], `${url('api.localhost')}/.postern/start`);
      await assert.rejects(getByWebSocket(alice), /401/);
      await get(alice, 'wiki.localhost');
      const elsewhere = alice.cookieHeader(`${url('wiki.localhost')}/`);
      const page = await alice.open(`${url('api.localhost')}/data?q=1`);
      assert.deepEqual([page.status, page.url], [200, `${url('api.localhost')}/data?q=1`], page.body);
      const second = await verify(JSON.parse(page.body) as Seen, 'alice');
      assert.notEqual(second, first, 'a fresh token, and nobody had to type anything');
      const beside = await createVisitor().send(`${url('wiki.localhost')}/`, { headers: { cookie: elsewhere } });
      assert.equal(beside.status, 200, 'the sessions of other hosts, and what is open by them, go on');
      await postern.waitFor('"reason":"provider-token-expired"');
      await postern.waitFor(/gave no refresh token.*send people to sign in again/);
    } finally {
      await setRefreshTokens(true);
    }
  });

  test('a revoked session gets nothing any more', async () => {
    const alice = await signInByKeycloak('alice');
    await get(alice, 'api.localhost');
    const revoked = await postern.cli('sessions', 'revoke', '--user', 'keycloak:alice');
    assert.equal(revoked.code, 0, revoked.stdout + revoked.stderr);
    const page = await alice.send(`${url('api.localhost')}/`, { headers: { accept: 'application/json' } });
    assert.equal(page.status, 401);
  });

  test('no token is in a log, a page, the userinfo, what the control socket says, or the data folder', async () => {
    const alice = await signInByKeycloak('alice');
    await get(alice, 'api.localhost');
    const told: string[] = [postern.output()];
    for (const host of ['who.localhost', 'no.localhost']) told.push((await alice.open(`${url(host)}/`)).body);
    for (const path of ['userinfo', 'whoami', 'security'])
      told.push((await alice.open(`${url('api.localhost')}/.postern/${path}`)).body);
    for (const args of [
      ['explain', `${url('api.localhost')}/`, '--as', 'keycloak:user:alice'],
      ['sessions', 'list'],
      ['config', 'show'],
      ['check'],
    ])
      told.push(...Object.values(await postern.cli(...args)).map(String));
    told.push(await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text());
    for (const file of readdirSync(postern.dataDir, { recursive: true, withFileTypes: true }))
      if (file.isFile()) told.push(readFileSync(join(file.parentPath, file.name), 'latin1'));
    assert.ok(tokens.size > 5);
    for (const token of tokens) {
      const [head = '', body = '', signature = ''] = token.split('.');
      assert.ok(head.length > 10);
      for (const part of [token, body, signature])
        assert.ok(!told.some((text) => text.includes(part)), 'a part of a token was told');
    }
    assert.ok(!told.join('').includes('of-the-client'));
  });
});
