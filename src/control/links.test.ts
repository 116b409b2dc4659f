import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openMemoryDatabase } from '../store/database.ts';
import { createLinkTables } from '../store/link-tables.ts';
import { identityOfPerson, isInPlace } from '../core/person.ts';
import { createLinkOperations, unsignedLinksWarning } from './links.ts';
import { createLinks, type Links, type LinksDeps } from '../session/links.ts';
import { createSealKey, type SealKey } from '../session/seal.ts';
import type { DatabaseSync } from 'node:sqlite';
import type { LinkStore } from '../core/link-store.ts';
import { compileTable } from '../route/compile.ts';
import { documentOf, hostOf, proxyTo, routeOf, serverOf } from '../route/document-fixture.ts';
import { canonicalPath } from '../wire/canonical-path.ts';

interface Rig {
  readonly db: DatabaseSync;
  readonly links: Links;
  /** The same store behind another key. */
  readonly underKey: (sealKey: SealKey) => Links;
  readonly world: { now: number; asked: number; beforeTake: () => void; ended: string[]; audit: string[] };
}

function open(): Rig {
  const db = openMemoryDatabase();
  const writer = { durable: async <T>(work: () => T) => work(), relaxed: async <T>(work: () => T) => work() };
  const world = { now: 1_000_000, asked: 0, beforeTake: () => {}, ended: [] as string[], audit: [] as string[] };
  const tables = createLinkTables(db, writer as never);
  const store: LinkStore = {
    ...tables,
    findLink(key) {
      world.asked += 1;
      return tables.findLink(key);
    },
    takeLink(key, now) {
      world.asked += 1;
      world.beforeTake();
      return tables.takeLink(key, now);
    },
  };
  const deps = {
    store,
    audit: {
      appendAudit: async ({ action, target }) => {
        world.audit.push(`${action} ${target}`);
      },
    },
    clock: { now: () => world.now },
    revokeSessions: async (provider, subject) => world.ended.push(`${provider} ${subject}`),
  } satisfies Omit<LinksDeps, 'sealKey'>;
  const underKey = (sealKey: SealKey): Links => createLinks({ ...deps, sealKey });
  return { db, links: underKey(createSealKey(randomBytes(32))), underKey, world };
}

const PLACE = { host: 'app.example.com', scope: '/docs/*', target: '/docs/?a=b' };

async function make({ links }: Rig, more: object = {}): Promise<string> {
  const made = await links.create({ name: 'guest', ...PLACE, lifetimeMs: 60_000, uses: 1, ...more }, 'cli');
  assert.equal(made.kind, 'created');
  return made.kind === 'created' ? made.value : '';
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

test('open() does not ask the store about what this gateway has not signed', async () => {
  const rig = open();
  const value = await make(rig, { uses: null });
  const other = await open().links.create({ name: 'guest', ...PLACE, lifetimeMs: 60_000, uses: 1 }, 'cli');
  rig.world.asked = 0;
  const last = value.endsWith('A') ? 'Q' : 'A';
  for (const wrong of [
    `${value.slice(0, -1)}${last}`,
    value.slice(0, 43),
    value.slice(0, -1),
    `${value.startsWith('x') ? 'y' : 'x'}${value.slice(1)}`,
    'x'.repeat(86),
    other.kind === 'created' ? other.value : '',
  ]) {
    assert.equal(await rig.links.peek(wrong), null);
    assert.equal(await rig.links.open(wrong), null);
  }
  assert.equal(rig.world.asked, 0);
  assert.notEqual(await rig.links.open(value), null);
});

test('whoever writes the store widens, moves, prolongs and renames no link, and has it opened no more often', async () => {
  for (const change of [
    "scope = '/*'",
    "target = '/admin'",
    "host = 'admin.example.com'",
    "name = 'boss'",
    'expires_at = expires_at + 1',
    'created_at = created_at - 1',
    'uses = 100, uses_left = 100',
    'uses = NULL, uses_left = NULL',
    'uses_left = 2',
    'uses_left = NULL',
    "expires_at = expires_at + 60000, signature = (SELECT signature FROM links WHERE name = 'long')",
  ]) {
    const rig = open();
    await make(rig, { name: 'long', lifetimeMs: 120_000 });
    const value = await make(rig);
    rig.db.exec(`UPDATE links SET ${change} WHERE name = 'guest'`);
    assert.equal(await rig.links.peek(value), null, change);
    assert.equal(await rig.links.open(value), null, change);
    assert.deepEqual(
      (await createLinkOperations(rig.links, () => null)['link.list']()).map(({ name, state }) => `${name} ${state}`),
      [change.startsWith('name') ? 'boss unsigned' : 'guest unsigned', 'long expired'],
    );
  }
});

test('open() opens nothing that was changed in the moment in which it is opened', async () => {
  const rig = open();
  const value = await make(rig, { uses: null });
  rig.world.beforeTake = () => rig.db.exec("UPDATE links SET scope = '/*'");
  assert.equal(await rig.links.open(value), null);
  assert.deepEqual(rig.world.audit, ['link.create link:guest app.example.com/docs/*']);
});

test('whoever writes the store makes no link of their own', async () => {
  const rig = open();
  await make(rig, { name: 'wide', scope: '/*' });
  const stranger = open();
  const forged = await make(stranger, { scope: '/*' });
  const [row] = await stranger.links.list();
  assert.ok(row);
  rig.db
    .prepare(
      `INSERT INTO links SELECT ?, 'guest', host, scope, target, created_at, expires_at, uses_left, last_used_at, uses, signature FROM links`,
    )
    .run(row.key);
  assert.equal(await rig.links.open(forged), null);
  assert.equal(await rig.links.open(forged.slice(0, 43)), null, 'and none as they were before they were signed');
  assert.deepEqual(
    (await rig.links.list()).map(({ name, isSigned }) => [name, isSigned]),
    [
      ['guest', false],
      ['wide', true],
    ],
  );
});

test('a link of before, or under another key, opens nothing, and is named with what to do', async () => {
  const rig = open();
  const value = await make(rig, { uses: null });
  await make(rig, { name: 'old' });
  await make(rig, { name: 'over', lifetimeMs: 1_000 });
  rig.world.now += 1_000;
  assert.equal(await unsignedLinksWarning(rig.links, rig.world.now), null);
  rig.db.exec("UPDATE links SET signature = NULL, uses = NULL WHERE name IN ('old', 'over')");
  assert.match(
    (await unsignedLinksWarning(rig.links, rig.world.now)) ?? '',
    /^Links that open nothing: old\. .*make them anew/,
  );
  const renewed = rig.underKey(createSealKey(randomBytes(32)));
  assert.equal(await renewed.open(value), null);
  assert.match((await unsignedLinksWarning(renewed, rig.world.now)) ?? '', /nothing: guest, old\. /);
  assert.equal(await renewed.revoke('guest', 'cli'), true);
  const again = await renewed.create({ name: 'guest', ...PLACE, lifetimeMs: 60_000, uses: 1 }, 'cli');
  assert.ok(again.kind === 'created' && (await renewed.open(again.value)) !== null);
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
