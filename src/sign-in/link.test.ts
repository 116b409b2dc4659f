import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createLinks, type Links } from '../session/links.ts';
import { createSealKey } from '../session/seal.ts';
import { openMemoryDatabase } from '../store/database.ts';
import { createLinkTables } from '../store/link-tables.ts';
import { APP, createRig, type Rig } from './_rig.ts';

const PLACE = { host: new URL(APP).hostname, scope: '/docs/*', target: '/docs/' };

async function withLinks(work: (rig: Rig, links: Links, secret: string) => Promise<void>): Promise<void> {
  const rig = createRig();
  const writer = { durable: async <T>(write: () => T) => write(), relaxed: async <T>(write: () => T) => write() };
  const links = createLinks({
    store: createLinkTables(openMemoryDatabase(), writer as never),
    audit: { appendAudit: () => Promise.resolve() },
    clock: rig.deps.clock,
    sealKey: createSealKey(randomBytes(32)),
    revokeSessions: (provider, subject) => rig.sessions.revokeByPerson(provider, subject),
  });
  Object.assign(rig.deps, { links: { ...links, isOpenTo: () => false } });
  rig.restart();
  try {
    const made = await links.create({ name: 'guest', ...PLACE, lifetimeMs: 60_000, uses: 1 }, 'cli');
    assert.ok(made.kind === 'created');
    await work(rig, links, made.value);
  } finally {
    rig.close();
  }
}

test('a link opens its place, and no session outlives it', () =>
  withLinks(async (rig, links, token) => {
    const visitor = rig.browser();
    const opened = await visitor.send(`${APP}/.postern/link`, { form: { token } });
    assert.deepEqual([opened.status, opened.headers.get('location')], [303, `${APP}/docs/`]);
    assert.equal((await rig.sessions.list()).length, 1, 'used up, and still open');
    assert.equal(await links.revoke('guest', 'cli'), true);
    assert.deepEqual(await rig.sessions.list(), []);
  }));

test('/.postern/userinfo takes a link for no person, whatever it is called', () =>
  withLinks(async (rig, _links, token) => {
    const visitor = rig.browser();
    await visitor.send(`${APP}/.postern/link`, { form: { token } });
    const { provider, sub, name } = JSON.parse((await visitor.send(`${APP}/.postern/userinfo`)).text) as Record<
      string,
      unknown
    >;
    assert.deepEqual({ provider, sub, name }, { provider: '#link', sub: 'link:guest', name: 'link:guest' });
  }));

test('a link that is revoked in the moment in which it is opened opens nothing', () =>
  withLinks(async (rig, links, token) => {
    const { sessions } = rig;
    const openSignIn = sessions.openSignIn.bind(sessions);
    Object.assign(rig.sessions, {
      openSignIn: async (...given: Parameters<typeof openSignIn>) => {
        assert.equal(await links.revoke('guest', 'cli'), true);
        return openSignIn(...given);
      },
    });
    const visitor = rig.browser();
    const opened = await visitor.send(`${APP}/.postern/link`, { form: { token } });
    assert.equal(opened.status, 404);
    assert.deepEqual(await rig.sessions.list(), []);
    assert.equal(visitor.sessionToken(APP), undefined);
  }));
