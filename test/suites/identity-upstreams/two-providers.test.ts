/**
 * `alice` of two providers are two people, through the whole gateway: in rules, maps, templates and what apps are told.
 * And whoever a template has no value for is told to the app as nobody, whatever they say themselves.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { startTwin } from '../../../src/sign-in/oidc/_twin.ts';
import type { Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { createVisitor, nextOf } from '../../support/visitor.ts';
import type { Visitor } from '../../support/visitor.ts';

const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

interface Told {
  readonly app: string;
  readonly headers: IncomingHttpHeaders;
}

suite('one name at two providers', () => {
  const apps: Server[] = [];
  const people = new Map<string, Visitor>();
  let twin: Twin;
  let postern: PosternProcess;
  const url = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;

  before(async () => {
    twin = await startTwin();
    twin.claims = { sub: 'c-1', preferred_username: 'alice', groups: ['ops'] };
    for (const app of ['red', 'blue']) {
      const server = createServer(({ headers }, res) => res.end(JSON.stringify({ app, headers })));
      await new Promise<void>((done) => {
        server.listen(0, '127.0.0.1', done);
      });
      apps.push(server);
    }
    const [red, blue] = apps.map((app) => (app.address() as AddressInfo).port);
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers:
  local: { type: local }
  company: { type: oidc, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}" }
sign_in: { url: "https://auth.localhost:${https}" }
maps:
  port: { "local:user:alice": ${red}, "company:user:alice": ${blue} }
  tenant: { "local:user:alice": red, "company:group:ops": blue }
hosts:
  told.localhost:
    to: "http://127.0.0.1:${red}"
    allow: [signed-in]
    identity_headers: [forwarded, remote, { subject: X-Subject }]
    add_headers: { X-Tenant: "{map.tenant}", X-Who: "{user.provider}/{user.name}" }
  mapped.localhost: { to: "http://127.0.0.1:{map.port}", allow: [signed-in] }
  chosen.localhost:
    allow: [signed-in]
    routes:
      - { when: ["company:user:alice"], to: "http://127.0.0.1:${blue}" }
      - { when: ["local:user:alice"], to: "http://127.0.0.1:${red}" }
  ruled.localhost: { to: "http://127.0.0.1:${red}", allow: ["company:user:alice", "local:group:ops"] }
`,
    });
    twin.redirectUri = `${url('auth', '')}/.postern/callback/company`;
    for (const name of ['alice', 'bob']) {
      const password = await addUser(postern, name, name === 'bob' ? ['ops'] : []);
      people.set(`local:${name}`, await signIn(url('auth', '/.postern/sign-in?provider=local'), name, password));
    }
    people.set('company:alice', createVisitor());
    await go('company:alice', url('auth', '/.postern/sign-in?provider=company'));
  });
  after(async () => {
    await postern?.close();
    await twin?.stop();
    for (const app of apps) {
      app.closeAllConnections();
      app.close();
    }
  });

  const go = async (who: string, address: string, headers = {}): Promise<{ status: number; body: string }> => {
    const visitor = people.get(who) as Visitor;
    let page = await visitor.send(address, { headers: { ...NAVIGATION, ...headers } });
    for (let next = nextOf(page); next !== null; next = nextOf(page)) {
      const to = new URL(next, page.url).href;
      const own = to.startsWith(twin.issuer) ? twin.visit(to) : to;
      page = await visitor.send(own, { headers: { ...NAVIGATION, ...headers } });
    }
    return page;
  };
  const told = async (who: string, host: string, headers = {}): Promise<Told> => {
    const { status, body } = await go(who, url(host), headers);
    assert.equal(status, 200, body);
    return JSON.parse(body) as Told;
  };

  test('apps are told which one comes, by every name and template', async () => {
    for (const [who, tenant, subject] of [
      ['local:alice', 'red', /^local:/],
      ['company:alice', 'blue', /^company:c-1$/],
    ] as const) {
      const { headers } = await told(who, 'told');
      assert.deepEqual([headers['x-forwarded-user'], headers['remote-user']], [who, who]);
      assert.deepEqual([headers['x-who'], headers['x-tenant']], [who.replace(':', '/'), tenant]);
      assert.match(String(headers['x-subject']), subject);
    }
    assert.equal((await told('company:alice', 'told')).headers['x-forwarded-groups'], 'company:ops');
  });

  test('each is led to an app of their own, by maps and by routes', async () => {
    for (const host of ['mapped', 'chosen']) {
      assert.equal((await told('local:alice', host)).app, 'red', host);
      assert.equal((await told('company:alice', host)).app, 'blue', host);
      assert.equal((await go('local:bob', url(host))).status, 403, host);
    }
  });

  test('a rule about the one, or a group of the one, lets in nobody of the other', async () => {
    assert.equal((await go('company:alice', url('ruled'))).status, 200);
    assert.equal((await go('local:alice', url('ruled'))).status, 403);
    assert.equal((await go('local:bob', url('ruled'))).status, 200, 'in the group of that name here');
  });

  test('where a template has no value, the app gets none, and not what the visitor says (class C of the advisories)', async () => {
    for (const claim of ['X-Tenant', 'x_tenant', 'X.Tenant', 'X-TENANT']) {
      const { headers } = await told('local:bob', 'told', { [claim]: 'red' });
      assert.doesNotMatch(JSON.stringify(headers), /tenant|"red"/i, claim);
    }
    assert.equal((await told('company:alice', 'told', { 'X-Tenant': 'red' })).headers['x-tenant'], 'blue');
  });
});
