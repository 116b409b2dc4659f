/**
 * A real Backstage backend behind Postern, set up as docs/recipes/backstage.md says, with the module that the page
 * prints: who signed in at Postern is that user in Backstage's catalog, by header fields and by the assertion,
 * and nobody else can say to be.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { SignJWT, decodeJwt, decodeProtectedHeader } from 'jose';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { startProgram, until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Program } from '../../support/programs.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';

const skip = skipWithout('backstage');
const RECIPE = readFileSync(resolve(import.meta.dirname, '../../../docs/recipes/backstage.md'), 'utf8');

const BACKEND = `import { createBackend } from '@backstage/backend-defaults';
const backend = createBackend();
backend.add(import('@backstage/plugin-auth-backend'));
backend.add(import('@backstage/plugin-auth-backend-module-oauth2-proxy-provider'));
backend.add(import('@backstage/plugin-catalog-backend'));
backend.add(import('./postern.ts'));
backend.start();
`;

const PEOPLE = `apiVersion: backstage.io/v1alpha1
kind: User
metadata: { name: ada }
spec: { memberOf: [developers], profile: { displayName: Ada } }
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: { name: bob }
spec: { memberOf: [] }
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: { name: developers }
spec: { type: team, children: [] }
`;

interface Ports {
  readonly own: number;
  readonly https: number;
}

const configOf = ({ own, https }: Ports): string => `app: { baseUrl: "https://portal.localhost:${https}" }
backend:
  baseUrl: "http://localhost:${own}"
  listen: { host: 127.0.0.1, port: ${own} }
  database: { client: better-sqlite3, connection: ":memory:" }
catalog:
  rules: [{ allow: [User, Group] }]
  locations: [{ type: file, target: people.yaml }]
auth:
  providers:
    oauth2Proxy: { signIn: { resolvers: [{ resolver: forwardedUserMatchingUserEntityName }] } }
    postern:
      jwks: "https://localhost:${https}/.postern/jwks.json"
      issuer: "https://auth.localhost:${https}"
      audience: "https://portal.localhost:${https}"
      signIn: { resolvers: [{ resolver: accountMatchingUserEntityName }] }
`;

interface Refreshed {
  readonly backstageIdentity: {
    readonly token: string;
    readonly identity: { readonly userEntityRef: string; readonly ownershipEntityRefs: readonly string[] };
  };
}

suite('Backstage behind Postern', { skip }, () => {
  let dir = '';
  let backstage: Program;
  let postern: PosternProcess;
  let mirror: Server;
  let portal = '';
  let direct = '';
  const people = new Map<string, Visitor>();
  const as = (name: string): Visitor => people.get(name) ?? createVisitor();

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-backstage-'));
    const [own = 0] = await freePorts(1);
    direct = `http://127.0.0.1:${own}`;
    mirror = createServer((req, res) => res.end(JSON.stringify(req.headers)));
    await new Promise<void>((done) => {
      mirror.listen(0, '127.0.0.1', done);
    });
    const mirrored = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`;
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
defaults: { allow: [signed-in], identity_headers: [forwarded, assertion] }
hosts:
  portal.localhost: { to: "${direct}", allow: [signed-in, "token:ci"] }
  mirror.localhost: { to: "${mirrored}" }
  localhost: { to: "${mirrored}" }
`,
    });
    portal = `https://portal.localhost:${postern.https}`;
    mkdirSync(join(dir, 'backend'));
    const files = {
      'package.json': '{ "name": "backend", "private": true, "type": "module" }',
      'backend.ts': BACKEND,
      'postern.ts': /```ts\n([\s\S]*?)```/.exec(RECIPE)?.[1] ?? '',
      'people.yaml': PEOPLE,
      'app-config.yaml': configOf({ own, https: postern.https }),
      'ca.pem': (await postern.cli('ca', 'export')).stdout,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, 'backend', name), text);
    backstage = startProgram('backstage', [join(dir, 'backend')], {
      NODE_EXTRA_CA_CERTS: join(dir, 'backend', 'ca.pem'),
    });
    for (const name of ['ada', 'bob', 'carol']) {
      const password = await addUser(postern, name);
      people.set(name, await signIn(`https://mirror.localhost:${postern.https}/`, name, password));
      await as(name).open(`${portal}/`);
    }
    // The catalog reads its files after the start.
    await until(
      async () => (await refresh('ada').catch(() => null))?.status === 200,
      `Backstage knows ada`,
      90_000,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}. It printed:\n${backstage.output()}`);
    });
  });
  after(async () => {
    await postern?.close();
    await backstage?.stop();
    mirror?.closeAllConnections();
    mirror?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const refresh = (name: string, provider = 'oauth2Proxy', headers: Record<string, string> = {}): Promise<Visit> =>
    as(name).send(`${portal}/api/auth/${provider}/refresh`, { headers: { accept: 'application/json', ...headers } });
  const identityOf = (visit: Visit): Refreshed['backstageIdentity'] => {
    assert.equal(visit.status, 200, visit.body);
    return (JSON.parse(visit.body) as Refreshed).backstageIdentity;
  };
  const atBackstage = (provider: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${direct}/api/auth/${provider}/refresh`, { headers });
  const assertionFor = async (name: string, host: string): Promise<string> => {
    await as(name).open(`https://${host}:${postern.https}/`);
    const { body } = await as(name).send(`https://${host}:${postern.https}/`);
    return (JSON.parse(body) as Record<string, string>)['postern-assertion'] ?? '';
  };

  for (const provider of ['oauth2Proxy', 'postern']) {
    test(`${provider}: who signed in at Postern is that user of the catalog, with the groups it has there`, async () => {
      const ada = identityOf(await refresh('ada', provider));
      assert.equal(ada.identity.userEntityRef, 'user:default/ada');
      assert.deepEqual([...ada.identity.ownershipEntityRefs].sort(), ['group:default/developers', 'user:default/ada']);
      assert.equal(identityOf(await refresh('bob', provider)).identity.userEntityRef, 'user:default/bob');
    });

    test(`${provider}: an account that the catalog does not have is refused by Backstage`, async () => {
      const carol = await refresh('carol', provider);
      assert.notEqual(carol.status, 200);
      assert.match(carol.body, /NotFoundError|Failed to sign-in/);
    });

    test(`${provider}: who is not signed in does not come as far as Backstage`, async () => {
      const stranger = await refresh('nobody', provider, { 'X-Forwarded-User': 'ada' });
      assert.equal(stranger.status, 401);
      assert.doesNotMatch(stranger.body, /backstage/i);
    });
  }

  test('nobody can say to be somebody else, in any spelling, by name, token or assertion', async () => {
    const forged = `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"ada"}').toString('base64url')}.`;
    const stolen = await assertionFor('ada', 'mirror.localhost');
    for (const provider of ['oauth2Proxy', 'postern']) {
      for (const headers of [
        { 'X-Forwarded-User': 'ada', 'X-Forwarded-Preferred-Username': 'ada' },
        { x_forwarded_user: 'ada', 'X.Forwarded.User': 'ada' },
        { 'X-OAUTH2-PROXY-ID-TOKEN': forged },
        { 'Postern-Assertion': stolen, Postern_Assertion: stolen },
      ]) {
        const { identity } = identityOf(await refresh('bob', provider, headers));
        assert.equal(identity.userEntityRef, 'user:default/bob', JSON.stringify(headers));
      }
    }
    const seen = await as('bob').send(`https://mirror.localhost:${postern.https}/`, {
      headers: { 'X-OAUTH2-PROXY-ID-TOKEN': forged, X_OAuth2_Proxy_Id_Token: forged },
    });
    assert.doesNotMatch(seen.body.toLowerCase(), /id.token/);
  });

  test("Backstage's own token passes beside the session, and is nothing without it", async () => {
    const { token } = identityOf(await refresh('ada'));
    const asked = { headers: { authorization: `Bearer ${token}`, accept: 'application/json' } };
    const info = await as('ada').send(`${portal}/api/auth/v1/userinfo`, asked);
    assert.equal(info.status, 200, info.body);
    assert.equal((JSON.parse(info.body) as { claims: { sub: string } }).claims.sub, 'user:default/ada');
    const entity = await as('ada').send(`${portal}/api/catalog/entities/by-name/user/default/ada`, asked);
    assert.equal(entity.status, 200, entity.body);
    const without = await as('ada').send(`${portal}/api/catalog/entities/by-name/user/default/ada`);
    assert.equal(without.status, 401);
    assert.equal((await createVisitor().send(`${portal}/api/auth/v1/userinfo`, asked)).status, 401);
  });

  test('around Postern Backstage lets nobody in: no header, or an assertion that is not for it', async () => {
    assert.notEqual((await atBackstage('oauth2Proxy')).status, 200);
    assert.equal((await atBackstage('postern')).status, 401);
    const other = await assertionFor('ada', 'mirror.localhost');
    assert.equal((await atBackstage('postern', { 'Postern-Assertion': other })).status, 401);
    const { kid } = decodeProtectedHeader(other);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const own = await new SignJWT({ ...decodeJwt(other), aud: portal })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: kid ?? '' })
      .sign(privateKey);
    assert.equal((await atBackstage('postern', { 'Postern-Assertion': own })).status, 401);
  });

  test('a machine that Postern lets in is no user of Backstage', async () => {
    const token = (await postern.cli('token', 'create', '--for', 'ci')).stdout.trim();
    const answer = await refresh('nobody', 'postern', { 'postern-authorization': `Bearer ${token}` });
    assert.equal(answer.status, 401);
    assert.match(answer.body, /A machine is no user of Backstage/);
  });

  test('who is disabled at Postern does not reach Backstage, whatever token of it they hold', async () => {
    const { token } = identityOf(await refresh('bob'));
    assert.equal((await postern.cli('user', 'disable', 'bob')).code, 0);
    const asked = { headers: { authorization: `Bearer ${token}`, accept: 'application/json' } };
    await until(
      async () => (await as('bob').send(`${portal}/api/auth/v1/userinfo`, asked)).status === 401,
      'bob is out',
    );
  });
});
