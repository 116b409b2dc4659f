/**
 * One cookie for a domain, and hosts outside it in the same gateway: one sign-in for all, and what a
 * neighbour host can and cannot do with our cookies' names.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visitor } from '../../support/visitor.ts';

suite('One cookie for a domain, and hosts outside', () => {
  let app: Server;
  let postern: PosternProcess;
  let alice = '';
  let mallory = '';

  before(async () => {
    app = createServer((request, response) => {
      // What an evil app answers: cookies under every name that it saw or can guess.
      const planted = request.headers['x-plant'];
      if (typeof planted === 'string')
        response.setHeader('set-cookie', [
          `${planted}=${'A'.repeat(43)}; Domain=corp.test; Path=/; Secure`,
          `${planted}=${'A'.repeat(43)}; Path=/; Secure`,
          'app=own; Path=/',
        ]);
      const { cookie = '', 'x-forwarded-user': user = 'nobody' } = request.headers;
      response.end(JSON.stringify({ user, cookie }));
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    const to = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
sign_in: { url: "https://auth.corp.test:${https}" }
session: { cookie_domain: .corp.test }
hosts:
  wiki.corp.test: { to: "${to}", allow: ["group:staff"], tls: local }
  evil.corp.test: { to: "${to}", allow: [public], tls: local }
  corp.test: { to: "${to}", allow: [signed-in], tls: local }
  shop.other.test: { to: "${to}", allow: ["group:staff"], tls: local }
  xcorp.test: { to: "${to}", allow: [signed-in], tls: local }
  docs.other.test: { to: "${to}", allow: [link, signed-in], tls: local }
`,
    });
    alice = await addUser(postern, 'alice', ['staff']);
    mallory = await addUser(postern, 'mallory', ['staff']);
  });
  after(async () => {
    await postern?.close();
    app?.close();
  });

  const url = (host: string, path = '/'): string => `https://${host}:${postern.https}${path}`;
  const userAt = async (visitor: Visitor, host: string): Promise<string> => {
    const page = await visitor.open(url(host));
    assert.equal(page.status, 200, `${host}: ${page.status} ${page.url} ${page.body.slice(0, 300)}`);
    return (JSON.parse(page.body) as { user: string }).user;
  };
  const sessionCookies = (visitor: Visitor): string[] =>
    visitor.cookies.flatMap(({ name, domain }) =>
      /^__(Host|Secure)-postern-[a-z0-9]+$/.test(name) ? [`${domain} ${name.split('-')[0]}`] : [],
    );
  const nameOf = (visitor: Visitor, prefix: string): string =>
    visitor.cookies.find(({ name }) => new RegExp(`^__${prefix}-postern-[a-z0-9]+$`).test(name))?.name ?? '';
  const valueOf = (visitor: Visitor, domain: string): string =>
    visitor.cookies.find((one) => one.domain === domain && /^__(Host|Secure)-postern-[a-z0-9]+$/.test(one.name))
      ?.value ?? '';
  const statusWith = async (host: string, cookie: string): Promise<number> =>
    (await createVisitor().send(url(host), { headers: { cookie, accept: 'application/json' } })).status;

  test('one sign-in enters every host of the domain by one cookie, and each host outside by its own', async () => {
    const visitor = await signIn(url('wiki.corp.test'), 'alice', alice);
    assert.deepEqual(sessionCookies(visitor), ['corp.test __Secure']);
    for (const host of ['wiki.corp.test', 'corp.test', 'shop.other.test', 'xcorp.test'])
      assert.equal(await userAt(visitor, host), 'alice', host);
    assert.deepEqual(sessionCookies(visitor).sort(), [
      'corp.test __Secure',
      'shop.other.test __Host',
      'xcorp.test __Host',
    ]);
    const again = await visitor.send(url('shop.other.test', '/deep?q=1'));
    assert.equal(again.status, 200, 'no sign-in twice');
  });

  test('a sign-in that begins on a host outside opens the domain, too, and signing out there ends all of it', async () => {
    const visitor = await signIn(url('shop.other.test', '/deep?x=1'), 'alice', alice);
    assert.equal(await userAt(visitor, 'wiki.corp.test'), 'alice');
    const page = await visitor.open(url('shop.other.test', '/.postern/sign-out'));
    await visitor.submit(page, {}, 'sign-out');
    for (const host of ['wiki.corp.test', 'shop.other.test']) {
      const after = await visitor.send(url(host), { headers: { accept: 'application/json' } });
      assert.equal(after.status, 401, host);
    }
  });

  test('an evil app on a sibling host cannot set our cookies through Postern, and never sees them', async () => {
    const visitor = await signIn(url('wiki.corp.test'), 'alice', alice);
    await userAt(visitor, 'shop.other.test');
    for (const planted of [
      nameOf(visitor, 'Secure'),
      nameOf(visitor, 'Host'),
      nameOf(visitor, 'Host').toLowerCase(),
      `${nameOf(visitor, 'Secure')}-n-x`,
    ]) {
      const page = await visitor.send(url('evil.corp.test'), { headers: { 'x-plant': planted } });
      assert.deepEqual(page.headers['set-cookie'], ['app=own; Path=/'], planted);
      assert.doesNotMatch(page.body, /postern/, 'the cookie of the domain stays with Postern');
    }
    assert.equal(await userAt(visitor, 'wiki.corp.test'), 'alice');
  });

  test("a sibling host outside Postern plants its own session's cookie: beside ours neither counts, and no host outside takes it", async () => {
    const visitor = await signIn(url('wiki.corp.test'), 'alice', alice);
    await userAt(visitor, 'shop.other.test');
    const evil = await signIn(url('wiki.corp.test'), 'mallory', mallory);
    await userAt(evil, 'shop.other.test');
    const [secure, host] = [nameOf(visitor, 'Secure'), nameOf(visitor, 'Host')];
    const [ours, theirs] = [valueOf(visitor, 'corp.test'), valueOf(evil, 'corp.test')];
    const [ownShop, theirShop] = [valueOf(visitor, 'shop.other.test'), valueOf(evil, 'shop.other.test')];
    assert.equal(await statusWith('wiki.corp.test', `${secure}=${ours}`), 200);
    for (const cookie of [`${secure}=${theirs}; ${secure}=${ours}`, `${secure}=${ours}; ${secure}=${theirs}`])
      assert.equal(await statusWith('wiki.corp.test', cookie), 401, 'alice is asked to sign in, and is never mallory');
    // What a neighbour of the domain can plant is nothing to a host outside, and the other way round.
    const seen = await createVisitor().send(url('shop.other.test'), {
      headers: { cookie: `${secure}=${theirs}; ${host}=${ownShop}` },
    });
    assert.equal((JSON.parse(seen.body) as { user: string }).user, 'alice');
    for (const [where, cookie] of [
      ['shop.other.test', `${secure}=${ours}`],
      ['shop.other.test', `${host}=${ours}`],
      ['shop.other.test', `${secure}=${ownShop}`],
      ['xcorp.test', `${secure}=${ours}`],
      ['xcorp.test', `${host}=${ownShop}`],
      ['wiki.corp.test', `${host}=${ours}`],
      ['wiki.corp.test', `${secure}=${ownShop}`],
      ['wiki.corp.test', `${host}=${ownShop}`],
      ['shop.other.test', `${host}=${ownShop}; ${host}=${theirShop}`],
    ] as const)
      assert.equal(await statusWith(where, cookie), 401, `${where}: ${cookie.replaceAll(/=[^;]+/g, '=…')}`);
  });

  test('a ticket or a code of a host outside opens nothing on a host of the domain, and nothing without its tab', async () => {
    const visitor = await signIn(url('wiki.corp.test'), 'alice', alice);
    const start = await visitor.send(url('shop.other.test'), {
      headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    });
    const signInPage = await visitor.send(start.headers.location ?? '', {
      headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    });
    const landing = new URL(signInPage.headers.location ?? '');
    assert.deepEqual([landing.hostname, landing.pathname], ['shop.other.test', '/.postern/land']);
    const stolen = await createVisitor().open(landing.href);
    assert.equal(stolen.status, 400, 'another browser');
    landing.hostname = 'xcorp.test';
    assert.equal((await visitor.open(landing.href)).status, 400, 'another host');
    landing.hostname = 'wiki.corp.test';
    const inside = await createVisitor().open(landing.href);
    assert.equal(inside.status, 400);
    landing.hostname = 'shop.other.test';
    assert.equal((await visitor.open(landing.href)).status, 200, 'and all of that has not spoilt it');
  });

  test('links: for a host outside as ever, for a host of the domain refused with the reason', async () => {
    const made = await postern.cli('link', 'create', url('docs.other.test', '/report'), '--expires', '1h');
    const link = /https:\S+/.exec(made.stdout)?.[0] ?? '';
    assert.match(link, /^https:\/\/docs\.other\.test/, made.stderr);
    const visitor = createVisitor();
    const page = await visitor.open(link);
    const opened = await visitor.submit(page, {}, 'link');
    assert.deepEqual([opened.status, new URL(opened.url).pathname], [200, '/report']);
    const refused = await postern.cli('link', 'create', url('wiki.corp.test', '/report'), '--expires', '1h');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /one cookie is for all hosts of "\.corp\.test"/);
  });
});
