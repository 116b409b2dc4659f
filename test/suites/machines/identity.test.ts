/**
 * What apps learn, through the whole gateway: each identity header exactly once and only ours, in whatever
 * spelling a client sends it (class B of the advisories); an assertion that jose verifies by the published
 * keys; names of one route that no other lets through.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';
import { IDENTITY_PRESETS } from '../../../src/config/presets/identity-headers.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { PosternProcess } from '../../support/postern.ts';

const OWN_NAMES = ['X-WEBAUTH-USER', 'X-WEBAUTH-GROUPS', 'X-Id-Token'];
const NAMES = [
  ...Object.values(IDENTITY_PRESETS).flatMap(({ fields }) => fields.map(({ name }) => name)),
  ...OWN_NAMES,
  'X-Forwarded-Roles',
  'X-Auth-Request-Access-Token',
  'Postern-User',
];
const REQUESTS = 4_000;

const fold = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '_');
const IDENTITY = new Set(NAMES.map(fold));

/** A small generator with a seed (mulberry32): a failing run can be run again. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function spell(name: string, random: (below: number) => number): string {
  const marks = ['-', '_', '.', '-', '_', '~', '|', '!'];
  return name
    .split('')
    .map((char) => {
      if (char === '-') return marks[random(marks.length)] ?? '-';
      return random(2) === 0 ? char.toLowerCase() : char.toUpperCase();
    })
    .join('');
}

suite('what apps learn', () => {
  let app: Server;
  let postern: PosternProcess;
  let token = '';
  /** Fields that the app got about who comes, as it would read them. */
  const learned = (raw: readonly string[]): [string, string][] =>
    raw.flatMap((name, at): [string, string][] =>
      at % 2 === 0 && IDENTITY.has(fold(name)) ? [[name, raw[at + 1] ?? '']] : [],
    );

  before(async () => {
    app = createServer((req, res) => res.end(JSON.stringify(req.rawHeaders)));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    const to = `to: "http://127.0.0.1:${(app.address() as AddressInfo).port}"`;
    postern = await startPostern({
      document: (ports) => `version: 1
listen: { http: { address: "127.0.0.1:${ports.http}", tls: off }, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${ports.https}" }
session: { insecure_http: true }
hosts:
  plain.localhost:
    tls: off
    paths:
      /all/*: { ${to}, allow: ["token:ci"], identity_headers: [forwarded, auth-request, remote, cloudflare-access, iap, assertion, { user: X-WEBAUTH-USER, assertion: X-Id-Token }] }
      /none/*: { ${to}, allow: ["token:ci"], identity_headers: none }
      /public/*: { ${to}, allow: [public] }
  app.localhost:
    paths:
      /json/*: { ${to}, allow: [signed-in], identity_headers: { user: X-User, name: X-Name, groups: X-Groups, groups_encoding: json } }
      /fields/*: { ${to}, allow: [signed-in], identity_headers: { groups: X-Groups, groups_encoding: repeated } }
      /signed/*: { ${to}, allow: [signed-in, "token:ci"], identity_headers: assertion }
      /aud/*: { ${to}, allow: [signed-in], identity_headers: assertion, assertion_audience: grafana }
      /public/*: { ${to}, allow: [public] }
      /*: { ${to}, allow: [signed-in] }
`,
    });
    const made = await postern.cli('token', 'create', '--for', 'ci');
    token = made.stdout.trim();
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
  });

  const EXPECTED: Readonly<Record<string, readonly string[]>> = {
    '/all/': ['X-Forwarded-User', 'X-Auth-Request-User', 'Remote-User', 'X-WEBAUTH-USER'],
    '/none/': [],
    '/public/': ['X-Forwarded-User'],
  };
  /** Of the machine, for the app that asks for one. */
  const assertionFor = async (): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    const page = await createVisitor().send(`https://app.localhost:${postern.https}/signed/`, { headers });
    assert.equal(page.status, 200, page.body);
    const raw = JSON.parse(page.body) as string[];
    return raw[raw.indexOf('Postern-Assertion') + 1] ?? '';
  };

  const SIGNED = ['Cf-Access-Jwt-Assertion', 'X-Goog-IAP-JWT-Assertion', 'Postern-Assertion', 'X-Id-Token'];

  const check = (path: string, raw: readonly string[], isKnown: boolean, sent: unknown): void => {
    const got = learned(raw);
    const names = (isKnown ? EXPECTED[path] : []) ?? [];
    const plain = got.filter(([, value]) => !value.startsWith('eyJ'));
    assert.deepEqual(
      plain,
      names.map((name) => [name, 'ci']),
      JSON.stringify(sent),
    );
    const signed = got.filter(([, value]) => value.startsWith('eyJ')).map(([name]) => name);
    assert.deepEqual(signed, isKnown && path === '/all/' ? SIGNED : [], JSON.stringify(sent));
  };

  test(`header smuggling: ${REQUESTS} requests over HTTP/1.1, every name in every spelling, with and without an identity`, async () => {
    const random = createRandom(20_261_126);
    const socket = connect(postern.http, '127.0.0.1');
    socket.setNoDelay(true);
    let bytes = '';
    let wake = (): void => undefined;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.toString('latin1');
      wake();
    });
    const answer = async (): Promise<readonly string[]> => {
      for (;;) {
        const end = bytes.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(bytes.slice(0, end))?.[1]);
        if (end !== -1 && bytes.length >= end + 4 + length) {
          const [head, body] = [bytes.slice(0, end), bytes.slice(end + 4, end + 4 + length)];
          bytes = bytes.slice(end + 4 + length);
          assert.match(head, /^HTTP\/1\.1 200 /);
          return JSON.parse(body) as string[];
        }
        await new Promise<void>((done) => {
          wake = done;
        });
      }
    };
    const paths = Object.keys(EXPECTED);
    for (let n = 0; n < REQUESTS; n++) {
      const path = paths[random(paths.length)] ?? '/';
      const isKnown = path !== '/public/' || random(2) === 0;
      const lines: string[] = [];
      for (let count = random(6); count >= 0; count--) {
        const name = spell(NAMES[random(NAMES.length)] ?? '', random);
        lines.push(`${name}: ${['evil', 'ci', 'eyJhbGciOiJub25lIn0.e30.', ''][random(4)] ?? ''}`);
      }
      if (random(4) === 0) lines.push(`Connection: ${NAMES[random(NAMES.length)] ?? ''}, keep-alive`);
      if (isKnown) lines.push(`Authorization: Bearer ${token}`);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: plain.localhost\r\n${lines.join('\r\n')}\r\n\r\n`);
      check(path, await answer(), isKnown, lines);
    }
    socket.destroy();
  });

  test('header smuggling over HTTP/2', async () => {
    const random = createRandom(7);
    const session = connectHttp2(`https://127.0.0.1:${postern.https}`, {
      servername: 'app.localhost',
      rejectUnauthorized: false,
    });
    const send = (headers: Record<string, string | string[]>): Promise<{ status: number; body: string }> =>
      new Promise((done, fail) => {
        const stream = session.request({ ':authority': `app.localhost:${postern.https}`, ...headers });
        let status = 0;
        let body = '';
        stream.on('response', (head) => (status = Number(head[':status'])));
        stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
        stream.on('end', () => done({ status, body }));
        stream.on('error', fail);
      });
    for (let n = 0; n < 500; n++) {
      const headers: Record<string, string> = { ':path': '/public/' };
      for (let count = random(6); count >= 0; count--)
        headers[spell(NAMES[random(NAMES.length)] ?? '', random).toLowerCase()] = 'evil';
      const isKnown = random(2) === 0;
      if (isKnown) headers['authorization'] = `Bearer ${token}`;
      const { status, body } = await send(headers);
      assert.equal(status, 200);
      check('/public/', JSON.parse(body) as string[], isKnown, headers);
    }
    session.close();
  });

  test('an assertion verifies by the keys that every host publishes, for its own audience only', async () => {
    const visitor = createVisitor();
    const origin = `https://app.localhost:${postern.https}`;
    const lists = await Promise.all(
      [origin, `https://auth.localhost:${postern.https}`].map((at) => visitor.send(`${at}/.postern/jwks.json`)),
    );
    assert.equal(lists[0]?.body, lists[1]?.body);
    assert.equal(lists[0]?.headers['cache-control'], 'public, max-age=3600');
    assert.match(String(lists[0]?.headers['content-type']), /json/);
    const keys = JSON.parse(lists[0]?.body ?? '') as JSONWebKeySet;
    assert.ok(keys.keys.every((key) => !('d' in key)));
    const first = await assertionFor();
    const expected = { issuer: `https://auth.localhost:${postern.https}`, audience: origin, algorithms: ['ES256'] };
    const { payload } = await jwtVerify(first, createLocalJWKSet(keys), expected);
    assert.deepEqual([payload.sub, payload['preferred_username']], ['token:ci', 'ci']);
    assert.ok((payload.exp ?? 0) - (payload.iat ?? 0) <= 300);
    await assert.rejects(jwtVerify(first, createLocalJWKSet(keys), { ...expected, audience: 'https://other' }));

    assert.equal((await postern.cli('keys', 'rotate')).code, 0);
    const fresh = JSON.parse((await visitor.send(`${origin}/.postern/jwks.json`)).body) as JSONWebKeySet;
    assert.equal(fresh.keys.length, 1);
    assert.notEqual(fresh.keys[0]?.kid, decodeProtectedHeader(first).kid);
    const isByFresh = async (): Promise<boolean> =>
      decodeProtectedHeader(await assertionFor()).kid === fresh.keys[0]?.kid;
    // Long before half the life of what was signed is over.
    await until(isByFresh, 'what was signed by the old key is not used on', 30_000);
  });

  test('bearer confusion: an assertion is nobody when an app sends it back', async () => {
    const visitor = createVisitor();
    const origin = `https://app.localhost:${postern.https}`;
    const assertion = await assertionFor();
    const basic = Buffer.from(`ci:${assertion}`).toString('base64');
    for (const headers of [
      { authorization: `Bearer ${assertion}` },
      { authorization: `Basic ${basic}` },
      { 'postern-authorization': `Bearer ${assertion}` },
      { 'postern-assertion': assertion },
      { 'cf-access-jwt-assertion': assertion },
      { cookie: `CF_Authorization=${assertion}` },
    ])
      for (const path of ['/signed/', '/aud/', '/']) {
        const { status } = await visitor.send(origin + path, { headers });
        assert.equal(status, 401, `${Object.keys(headers).join()} ${path}`);
      }
  });

  test('a person is told in the encoding of the route, in UTF-8, and nothing of it is left over on a public one', async () => {
    const password = await addUser(postern, 'ada', ['ops', 'a,b', '개발']);
    const origin = `https://app.localhost:${postern.https}`;
    const visitor = await signIn(`${origin}/json/`, 'ada', password);
    const ask = async (path: string, headers: Record<string, string> = {}): Promise<string[]> =>
      JSON.parse((await visitor.send(origin + path, { headers })).body) as string[];
    const valuesOf = (raw: readonly string[], name: string): string[] =>
      raw.flatMap((one, at) => (at % 2 === 0 && one === name ? [raw[at + 1] ?? ''] : []));
    const json = await ask('/json/', { 'x-groups': '["admins"]', 'X-User': 'root' });
    assert.deepEqual(valuesOf(json, 'X-Groups'), [String.raw`["ops","a,b","\uac1c\ubc1c"]`]);
    assert.deepEqual(valuesOf(json, 'X-User'), ['ada']);
    assert.deepEqual(valuesOf(json, 'X-Forwarded-User'), []);
    const fields = await ask('/fields/', { 'x-user': 'root' });
    assert.deepEqual(
      valuesOf(fields, 'X-Groups').map((text) => Buffer.from(text, 'latin1').toString('utf8')),
      ['ops', '개발'],
      'programs join fields of one name by commas',
    );
    assert.deepEqual(valuesOf(fields, 'x-user'), []);
    const usual = await ask('/');
    assert.deepEqual(
      valuesOf(usual, 'X-Forwarded-Groups').map((text) => Buffer.from(text, 'latin1').toString('utf8')),
      ['ops,개발'],
    );
    const audience = await ask('/aud/');
    const [, claims = ''] = (valuesOf(audience, 'Postern-Assertion')[0] ?? '').split('.');
    const payload = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    assert.deepEqual([payload['aud'], payload['groups']], ['grafana', ['ops', 'a,b', '개발']]);
    const stranger = createVisitor();
    const open = await stranger.send(`${origin}/public/`, { headers: { 'x-groups': 'admins', X_User: 'root' } });
    assert.doesNotMatch(open.body, /admins|root/);
  });
});
