import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryDatabase } from '../store/database.ts';
import { createLinkTables } from '../store/link-tables.ts';
import { identityOfPerson, isInPlace } from '../core/person.ts';
import { createLinkOperations } from './links.ts';
import { createLinks, type Links } from '../session/links.ts';
import { compileTable } from '../route/compile.ts';
import { documentOf, hostOf, proxyTo, routeOf, serverOf } from '../route/document-fixture.ts';
import { canonicalPath } from '../wire/canonical-path.ts';

interface Rig {
  readonly links: Links;
  readonly world: { now: number; ended: string[]; audit: string[] };
}

function open(): Rig {
  const db = openMemoryDatabase();
  const writer = { durable: async <T>(work: () => T) => work(), relaxed: async <T>(work: () => T) => work() };
  const world = { now: 1_000_000, ended: [] as string[], audit: [] as string[] };
  const links = createLinks({
    store: createLinkTables(db, writer as never),
    audit: {
      appendAudit: async ({ action, target }) => {
        world.audit.push(`${action} ${target}`);
      },
    },
    clock: { now: () => world.now },
    revokeSessions: async (provider, subject) => world.ended.push(`${provider} ${subject}`),
  });
  return { links, world };
}

const PLACE = { host: 'app.example.com', scope: '/docs/*', target: '/docs/?a=b' };

async function make({ links }: Rig, more: object = {}): Promise<string> {
  const made = await links.create({ name: 'guest', ...PLACE, lifetimeMs: 60_000, uses: 1, ...more }, 'cli');
  assert.equal(made.kind, 'created');
  return made.kind === 'created' ? made.secret : '';
}

test('open() lets each use go once, in time, and to the holder of the whole secret', async () => {
  const rig = open();
  const secret = await make(rig, { uses: 3 });
  const taken = await Promise.all(Array.from({ length: 10 }, () => rig.links.open(secret)));
  assert.equal(taken.filter((one) => one !== null).length, 3);
  assert.equal(await rig.links.peek(secret), null);
  const late = await make(rig, { name: 'late', uses: null });
  assert.equal((await rig.links.peek(late))?.target, '/docs/?a=b');
  rig.world.now += 60_000;
  assert.equal(await rig.links.open(late), null);
  for (const wrong of ['', 'x', late.slice(1), `${late}x`, late.toUpperCase()])
    assert.equal(await rig.links.open(wrong), null);
});

test('open() gives a person whom rules see as a link to its place', async () => {
  const rig = open();
  const opened = await rig.links.open(await make(rig));
  assert.ok(opened);
  const identity = identityOfPerson(opened.person);
  assert.deepEqual(identity, { kind: 'link', name: 'guest', place: { host: 'app.example.com', scope: '/docs/*' } });
  assert.equal(identityOfPerson({ ...opened.person, provider: 'local' }).kind, 'person');
  const { link: _, ...lost } = opened.person;
  const nowhere = identityOfPerson(lost);
  assert.ok(nowhere.kind === 'link' && !isInPlace(nowhere.place, { host: 'app.example.com', path: '/docs/' }));
});

test('isInPlace() is exact, or for all below', () => {
  const below = { host: 'a.test', scope: '/docs/*' };
  for (const path of ['/docs', '/docs/', '/docs/x/y']) assert.ok(isInPlace(below, { host: 'a.test', path }), path);
  for (const path of ['/', '/doc', '/docsx', '/docs2/x', '/DOCS/x'])
    assert.ok(!isInPlace(below, { host: 'a.test', path }), path);
  assert.ok(!isInPlace(below, { host: 'b.test', path: '/docs/x' }));
  const page = { host: 'a.test', scope: '/r.pdf' };
  assert.ok(isInPlace(page, { host: 'a.test', path: '/r.pdf' }));
  for (const path of ['/r.pdf/', '/r.pdf/x', '/r.pd']) assert.ok(!isInPlace(page, { host: 'a.test', path }), path);
  assert.ok(isInPlace({ host: 'a.test', scope: '/*' }, { host: 'a.test', path: '/' }));
});

test('revoke() ends the sessions of the link too, and every step is in the audit log', async () => {
  const rig = open();
  const secret = await make(rig);
  const key = (await rig.links.list())[0]?.key ?? '';
  await rig.links.open(secret);
  assert.equal(await rig.links.revoke('guest', 'cli'), true);
  assert.equal(await rig.links.revoke('guest', 'cli'), false);
  assert.deepEqual(rig.world.ended, [`#link ${key}`]);
  assert.deepEqual(
    rig.world.audit,
    ['create', 'open', 'revoke'].map((step) => `link.${step} link:guest app.example.com/docs/*`),
  );
});

test('create() refuses names, times and counts that mean nothing, and a name twice', async () => {
  const rig = open();
  await make(rig);
  const wish = { name: 'x', ...PLACE, lifetimeMs: 60_000, uses: 1 };
  for (const bad of [
    { name: 'guest' },
    { name: 'A' },
    { name: '' },
    { lifetimeMs: 0 },
    { lifetimeMs: Number.NaN },
    { lifetimeMs: 1e12 },
    { uses: 0 },
    { uses: 1.5 },
  ])
    assert.equal((await rig.links.create({ ...wish, ...bad }, 'cli')).kind, 'invalid', JSON.stringify(bad));
  const made = await rig.links.create({ ...wish, name: null }, 'cli');
  assert.match(made.kind === 'created' ? made.stored.name : '', /^link-[0-9a-f]{8}$/);
});

test('link.create is refused where one cookie serves all hosts: the session of a link could not be told apart', async () => {
  const { links } = open();
  const running = { table: null as never, document: { session: { cookieDomain: '.example.com' } } };
  const operations = createLinkOperations(links, () => running);
  const wish = { url: 'https://app.example.com/x', lifetimeMs: 60_000, uses: 1 };
  await assert.rejects(operations['link.create'](wish), /"session\.cookie_domain" one cookie is for all hosts of/);
  assert.deepEqual(await links.list(), []);
});

test('link.create knows the place in the spelling in which requests have it, whatever the address was copied from', async () => {
  const { links } = open();
  const { table } = compileTable(documentOf([hostOf('app.example.com', [routeOf('/*', ['link'])])]));
  const operations = createLinkOperations(links, () => ({ table, document: { session: { cookieDomain: null } } }));
  const paths = [
    '/%7Eann/r.pdf',
    '/%ea%b0%80',
    '/caf\u00e9',
    '/a|b',
    '/[1]',
    '/a b',
    '/%41;v=1',
    '/x/../y',
    '/c/%7e/*',
  ];
  for (const path of paths) {
    const { line, url } = await operations['link.create']({
      url: `https://APP.example.com.${path}?a=%7E`,
      lifetimeMs: 60_000,
      uses: 1,
    });
    const stored = await links.peek(url.slice(url.indexOf('=') + 1));
    const sent = new URL(`https://app.example.com${path}`).pathname;
    const place = { host: 'app.example.com', scope: stored?.scope ?? '' };
    assert.ok(isInPlace(place, { host: 'app.example.com', path: canonicalPath(sent, 0, sent.length).path }), path);
    assert.equal(line.place, `app.example.com${stored?.scope}`);
    assert.ok(stored?.target.endsWith('?a=%7E'), 'the query stays as it is');
  }
  for (const path of ['/a%2fb', '/a%5Cb', '/a%00', '//x', '/%2e%70ostern/x', '/.postern/sign-out', '/%zz'])
    await assert.rejects(
      operations['link.create']({ url: `https://app.example.com${path}`, lifetimeMs: 60_000, uses: 1 }),
      /Cannot create link/,
      path,
    );
});

test("link.create makes none to an app that is each person's own", async () => {
  const { links } = open();
  const action = proxyTo(serverOf('/run/ide/{user.name}.sock', 0, 'unix'));
  const { table } = compileTable(
    documentOf([hostOf('ide.example.com', [routeOf('/*', ['signed-in', 'link'], { action })])]),
  );
  const operations = createLinkOperations(links, () => ({ table, document: { session: { cookieDomain: null } } }));
  const wish = { url: 'https://ide.example.com/', lifetimeMs: 60_000, uses: 1 };
  await assert.rejects(operations['link.create'](wish), /"ide.example.com \/\*" leads each to an app of their own/);
  assert.deepEqual(await links.list(), []);
});
