/** Links for people without an account, through the whole gateway: to one place, so many times, so long, until taken back. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { openBrowser, openContext, takePicture } from '../../support/browser.ts';
import { skipWithout } from '../../support/peers.ts';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Finished, PosternProcess } from '../../support/postern.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';

suite('links', () => {
  let app: Server;
  let postern: PosternProcess;
  const site = (path = ''): string => `https://app.localhost:${postern.https}${path}`;
  const cli = (...args: string[]): Promise<Finished> => postern.cli('link', ...args);
  const create = async (...args: string[]): Promise<string> => {
    const made = await cli('create', ...args);
    assert.equal(made.code, 0, made.stderr);
    return made.stdout.trim();
  };
  const openLink = async (visitor: Visitor, url: string): Promise<Visit> =>
    visitor.submit(await visitor.open(url), {}, '/.postern/link');

  before(async () => {
    app = createServer((req, res) => res.end(JSON.stringify({ url: req.url, user: req.headers['x-forwarded-user'] })));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    const to = `to: "http://127.0.0.1:${(app.address() as AddressInfo).port}"`;
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  app.localhost:
    paths:
      /named/*: { ${to}, allow: ["link:guest"] }
      /inside/*: { ${to}, allow: [signed-in] }
      /*: { ${to}, allow: [signed-in, link] }
  other.localhost: { ${to}, allow: [link] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
  });

  test('opens its page after a click, and nothing else', async () => {
    const url = await create(site('/report.pdf?page=2'), '--name', 'report');
    assert.match(url, /^https:\/\/app\.localhost:\d+\/\.postern\/link\?token=[\w-]{86}$/);
    const visitor = createVisitor();
    const page = await visitor.open(url);
    assert.equal(page.status, 200);
    assert.match(page.body, /This link opens app\.localhost\/report\.pdf/);
    assert.equal(page.headers['referrer-policy'], 'no-referrer');
    assert.equal(visitor.cookies.length, 0, 'whoever only looks at the address uses nothing up');
    const opened = await visitor.submit(page, {}, '/.postern/link');
    assert.deepEqual(JSON.parse(opened.body), { url: '/report.pdf?page=2', user: 'link:report' });
    assert.equal((await visitor.send(site('/report.pdf'))).status, 200, 'and again');
    assert.equal(
      (await visitor.send(site('/report.pdf?page=9'))).status,
      200,
      'a query is no boundary, and that is said',
    );
    const isSaid = async (path: string): Promise<boolean> =>
      / with any query/.test((await cli('create', site(path))).stderr);
    assert.deepEqual([await isSaid('/report.pdf?page=2'), await isSaid('/report.pdf')], [true, false]);
    for (const path of ['/', '/report.pdf/x', '/report', '/REPORT.PDF', '/inside/x', '/named/x'])
      assert.notEqual((await visitor.send(site(path))).status, 200, path);
    assert.notEqual((await visitor.send(`https://other.localhost:${postern.https}/report.pdf`)).status, 200);
    const toSignIn = await visitor.open(site('/inside/x'));
    assert.match(toSignIn.url, /^https:\/\/auth\.localhost/, 'a place for people asks to sign in');
  });

  test('opens as often as it may, for whoever comes first', async () => {
    const url = await create(site('/twice/*'), '--uses', '2');
    const results = await Promise.all(
      Array.from({ length: 6 }, () => openLink(createVisitor(), url).catch(() => null)),
    );
    assert.equal(results.filter((one) => one?.status === 200).length, 2);
    const late = await createVisitor().open(url);
    assert.equal(late.status, 404);
    assert.match(late.body, /does not open anything/);
    const many = await create(site('/many/*'), '--uses', 'unlimited');
    for (let i = 0; i < 4; i++) {
      const visitor = createVisitor();
      assert.equal((await openLink(visitor, many)).status, 200);
      assert.equal((await visitor.send(site('/many/deep/down'))).status, 200);
    }
  });

  test('ends when it is taken back, with what it opened, and when its time is over', async () => {
    const url = await create(site('/gone/*'), '--name', 'gone', '--uses', 'unlimited');
    const visitor = createVisitor();
    assert.equal((await openLink(visitor, url)).status, 200);
    assert.match((await cli('list')).stdout, /gone +active +unlimited/);
    assert.match((await postern.cli('sessions', 'list')).stdout, /link:gone/);
    assert.equal((await cli('revoke', 'gone')).code, 0);
    assert.notEqual((await visitor.send(site('/gone/x'))).status, 200);
    assert.equal((await createVisitor().open(url)).status, 404);
    assert.match((await cli('revoke', 'gone')).stderr, /there is none of this name/);

    // Long enough that it can be opened on a busy machine.
    let short = '';
    let guest = createVisitor();
    await until(async () => {
      short = await create(site('/short/*'), '--expires', '10s');
      guest = createVisitor();
      return (await openLink(guest, short)).status === 200;
    }, 'it is opened in its time');
    await until(async () => (await guest.send(site('/short/x'))).status !== 200, 'what it opened is over too');
    assert.equal((await createVisitor().open(short)).status, 404);
  });

  test('is opened by a form of its own page only, on its own host, with its whole secret', async () => {
    const url = await create(site('/safe'));
    const token = new URL(url).searchParams.get('token') ?? '';
    const post = (host: string, headers: Record<string, string>, secret = token): Promise<Visit> =>
      createVisitor().send(`https://${host}:${postern.https}/.postern/link`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: `token=${secret}`,
      });
    for (const headers of [
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' },
    ])
      assert.equal((await post('app.localhost', headers)).status, 404);
    assert.equal((await post('other.localhost', {})).status, 404, 'another host');
    assert.equal((await post('app.localhost', {}, token.slice(0, -1))).status, 404);
    assert.equal((await post('app.localhost', {})).status, 303, 'none of these used it up');
    assert.equal((await post('app.localhost', {})).status, 404, 'it was to be opened once');
    assert.ok(!postern.output().includes(token), 'the secret is in no log');
  });

  test('opens nothing once its row was changed in the database, and says so to its owner', async () => {
    const [moved, longer, before, sound] = await Promise.all(
      ['moved', 'longer', 'before', 'sound'].map((name) => create(site(`/signed/${name}`), '--name', name)),
    );
    const visitor = createVisitor();
    const page = await visitor.open(moved ?? '');
    const db = new DatabaseSync(join(postern.dataDir, 'postern.db'), { timeout: 30_000 });
    db.exec("UPDATE links SET scope = '/*', target = '/admin' WHERE name = 'moved'");
    db.exec("UPDATE links SET expires_at = expires_at + 1000000 WHERE name = 'longer'");
    db.exec("UPDATE links SET signature = NULL, uses = NULL WHERE name = 'before'");
    db.close();
    const late = await visitor.submit(page, {}, '/.postern/link');
    assert.equal(late.status, 404, 'its page was there before');
    assert.equal(visitor.cookies.length, 0);
    for (const url of [moved, longer, before, before?.slice(0, -43)])
      assert.equal((await createVisitor().open(url ?? '')).status, 404);
    assert.equal((await openLink(createVisitor(), sound ?? '')).status, 200);
    const { stdout } = await cli('list');
    for (const name of ['moved', 'longer', 'before']) assert.match(stdout, new RegExp(`${name} +unsigned `));
    assert.equal((await cli('revoke', 'before')).code, 0);
    assert.equal((await openLink(createVisitor(), await create(site('/x'), '--name', 'before'))).status, 200);
  });

  test('is made only where a rule admits it, and is explained like everybody else', async () => {
    const named = await cli('create', site('/named/x'));
    assert.match(named.stderr, /admit no such link; add "link" to "allow"/);
    assert.equal((await cli('create', site('/named/x'), '--name', 'guest')).code, 0);
    assert.match((await cli('create', site('/inside/x'), '--name', 'guest2')).stderr, /admit no such link/);
    assert.match((await cli('create', 'https://nowhere.example/x')).stderr, /nothing is served/);
    assert.match((await cli('create', site('/a%2fb'))).stderr, /read in two ways/);
    assert.match((await cli('create', site('/named/x'), '--name', 'guest')).stderr, /one of this name already/);
    assert.match((await cli('create', site('/x'), '--uses', '0')).stderr, /"0" is not a count/);
    assert.match((await cli('create', site('/x'), '--expires', 'soon')).stderr, /"soon" is not a duration/);
    const explained = await postern.cli('explain', site('/named/x'), '--as', 'link:guest');
    assert.match(explained.stdout, /allow/);
    assert.match(
      (await postern.cli('explain', site('/inside/x'), '--as', 'link:guest')).stdout,
      /a link \("guest"\) is not a person/,
    );
  });

  test('looks as it should in a browser', { skip: skipWithout('chromium') }, async () => {
    const browser = await openBrowser();
    try {
      const context = await openContext(browser, { viewport: { width: 390, height: 700 }, locale: 'en' });
      const page = await context.newPage();
      await page.goto(await create(site('/picture.pdf')));
      await takePicture(page, 'link-phone');
      await page.click('button[type="submit"]');
      assert.match((await page.textContent('body')) ?? '', /picture\.pdf/);
      await page.goto(`${site('/.postern/link')}?token=${'x'.repeat(86)}`);
      await takePicture(page, 'link-bad-phone');
    } finally {
      await browser.close();
    }
  });
});
