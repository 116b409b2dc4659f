import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { PosternError } from '../../core/errors.ts';
import { ALICE, startServing, type RigOptions, type ServingRig } from './_rig.ts';
import { createSessionRefresh } from './session-refresh.ts';
import type { AuthSession } from '../auth-session.ts';
import type { AuthProvider, ProviderAnswer, SessionKeeper } from '../ports.ts';
import type { StoreSettings } from '../settings.ts';
import type { ServedRequest } from './served-request.ts';

const HOUR = 3_600_000;

interface Asked {
  refreshed: number;
  validated: number;
}

interface Wish {
  readonly refresh?: (session: AuthSession) => ProviderAnswer<AuthSession | null>;
  readonly validate?: () => ProviderAnswer<true>;
  readonly store?: StoreSettings;
  readonly more?: Partial<RigOptions>;
}

async function start(t: TestContext, wish: Wish = {}): Promise<ServingRig & { readonly asked: Asked }> {
  const asked = { refreshed: 0, validated: 0 };
  const provider: Partial<AuthProvider> = {
    async refresh(session) {
      asked.refreshed++;
      await Promise.resolve();
      return (
        wish.refresh?.(session) ?? { kind: 'ok', value: { ...session, createdAt: rig.now(), groups: ['renewed'] } }
      );
    },
    validate() {
      asked.validated++;
      return Promise.resolve(wish.validate?.() ?? { kind: 'ok', value: true });
    },
  };
  const { store = { kind: 'server' } } = wish;
  const rig = await startServing(t, { ...wish.more, provider, settings: { store, cookie: { refreshMs: HOUR } } });
  return { ...rig, asked };
}

test('a session is renewed once it is old, with new claims and no new sign-in', async (t) => {
  const rig = await start(t);
  const headers = [await rig.signIn()];
  assert.equal((await rig.ask('/oauth2/auth?allowed_groups=renewed', { headers })).status, 403);
  rig.advance(HOUR + 1);
  const renewed = await rig.ask('/oauth2/auth?allowed_groups=renewed', { headers });
  assert.equal(renewed.status, 202);
  assert.match(renewed.headers['set-cookie']?.join() ?? '', /^_oauth2_proxy=/);
  assert.equal(rig.asked.refreshed, 1);
  const after = await rig.ask('/oauth2/auth', { headers });
  assert.equal(after.headers['set-cookie'], undefined);
  assert.equal(rig.asked.refreshed, 1);
});

test('a hundred requests at the moment of renewal ask the provider once', async (t) => {
  for (const store of [{ kind: 'server' }, { kind: 'stateless', isMinimal: false }] as const) {
    const rig = await start(t, { store });
    const headers = [await rig.signIn()];
    rig.advance(HOUR + 1);
    const answers = await Promise.all(Array.from({ length: 100 }, () => rig.ask('/oauth2/auth', { headers })));
    assert.ok(answers.every(({ status }) => status === 202));
    assert.equal(rig.asked.refreshed, 1, store.kind);
    assert.ok(answers.some(({ headers: { 'set-cookie': lines } }) => lines?.length === 1));
    // Whoever comes late with an old sealed cookie is the same session.
    const late = await rig.ask('/oauth2/auth', { headers });
    assert.equal(late.status, 202);
    assert.equal(rig.asked.refreshed, 1, store.kind);
  }
});

test('a provider that says no ends the session', async (t) => {
  const rig = await start(t, { refresh: () => ({ kind: 'refused', message: 'invalid_grant' }) });
  const headers = [await rig.signIn()];
  rig.advance(HOUR + 1);
  const ended = await rig.ask('/oauth2/auth', { headers });
  assert.equal(ended.status, 401);
  assert.match(ended.headers['set-cookie']?.join() ?? '', /_oauth2_proxy=; .*Max-Age=0/);
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401);
  assert.equal(rig.asked.refreshed, 1);
  assert.deepEqual(rig.flowCalls, ['refused: invalid_grant']);
});

test('a provider that does not answer leaves the session, and is not asked by every request', async (t) => {
  const rig = await start(t, { refresh: () => ({ kind: 'unavailable', message: 'timeout' }) });
  const headers = [await rig.signIn()];
  rig.advance(HOUR + 1);
  for (let i = 0; i < 5; i++) assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
  assert.equal(rig.asked.refreshed, 1);
  rig.advance(30_001);
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
  assert.equal(rig.asked.refreshed, 2);
  assert.equal(rig.asked.validated, 0);
});

test('without a refresh token the access token decides: it slides, it is refused, it expires', async (t) => {
  const nothing = (): ProviderAnswer<null> => ({ kind: 'ok', value: null });
  const sliding = await start(t, { refresh: nothing });
  const headers = [await sliding.signIn({ ...ALICE, expiresOn: null })];
  sliding.advance(HOUR + 1);
  assert.equal((await sliding.ask('/oauth2/auth', { headers })).status, 202);
  assert.equal((await sliding.ask('/oauth2/auth', { headers })).status, 202);
  assert.deepEqual(sliding.asked, { refreshed: 1, validated: 1 });

  const refused = await start(t, { refresh: nothing, validate: () => ({ kind: 'refused', message: 'revoked' }) });
  const cookie = [await refused.signIn({ ...ALICE, expiresOn: null })];
  refused.advance(HOUR + 1);
  assert.equal((await refused.ask('/oauth2/auth', { headers: cookie })).status, 401);

  const expiring = await start(t, { refresh: nothing });
  const until = [await expiring.signIn({ ...ALICE, expiresOn: expiring.now() + HOUR + 10_000 })];
  expiring.advance(HOUR + 1);
  assert.equal((await expiring.ask('/oauth2/auth', { headers: until })).status, 202);
  expiring.advance(10_000);
  assert.equal((await expiring.ask('/oauth2/auth', { headers: until })).status, 401);
});

test('sessions of the password file are not the provider’s to renew', async (t) => {
  const rig = await start(t, {
    more: {
      htpasswd: {
        verify: () => 'wrong',
        check: () => Promise.resolve('wrong'),
        has: () => true,
        sessionOf: () => ALICE,
        showsForm: true,
        close: () => {},
      },
    },
  });
  const headers = [await rig.signIn({ ...ALICE, via: 'htpasswd' })];
  rig.advance(HOUR + 1);
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
  assert.equal(rig.asked.refreshed, 0);
});

test('a session that was ended while it was renewed stays ended', async (t) => {
  let end = (): Promise<unknown> => Promise.resolve();
  const rig = await start(t, {
    refresh: (session) => {
      void end();
      return { kind: 'ok', value: { ...session, createdAt: rig.now() } };
    },
  });
  const cookie = await rig.signIn();
  const { HeaderBlock } = await import('../../wire/header-block.ts');
  const brought = HeaderBlock.from({ Cookie: cookie.replace('Cookie: ', '') });
  end = () => rig.keeper.end(brought, { host: 'app.example.com' });
  rig.advance(HOUR + 1);
  assert.equal((await rig.ask('/oauth2/auth', { headers: [cookie] })).status, 401);
  assert.equal((await rig.ask('/oauth2/auth', { headers: [cookie] })).status, 401);
});

test('a store that fails while a session is renewed lets nobody in and signs nobody out', async (t) => {
  let isAway = false;
  const rig = await start(t, {
    more: {
      keeper: (keeper) => ({
        ...keeper,
        once: (handle, work) => {
          isAway = true;
          return keeper.once(handle, work);
        },
        find: (headers) => (isAway ? { kind: 'unavailable' } : keeper.find(headers)),
      }),
    },
  });
  const headers = [await rig.signIn()];
  rig.advance(HOUR + 1);
  const away = await rig.ask('/oauth2/auth', { headers });
  assert.equal(away.status, 503);
  assert.equal(away.headers['set-cookie'], undefined);
  isAway = false;
});

test('a store that goes away before the lock is had is unavailable; another failure is a defect', async () => {
  const refreshWith = (error: Error): ReturnType<typeof createSessionRefresh> => {
    const failing = async (): Promise<never> => {
      throw error;
    };
    return createSessionRefresh({
      keeper: { once: failing } as unknown as SessionKeeper,
      provider: { refresh: () => assert.fail('asked'), validate: () => assert.fail('asked') },
      clock: { now: () => HOUR },
      refreshMs: 1,
      onOutcome: () => assert.fail('told'),
    });
  };
  const found = { kind: 'found', session: ALICE, handle: 'h' } as const;
  const away = refreshWith(new PosternError('STORE_UNAVAILABLE', 'Cannot reach Redis'));
  assert.deepEqual(await away.run({} as ServedRequest, found), { kind: 'unavailable' });
  await assert.rejects(refreshWith(new Error('a defect')).run({} as ServedRequest, found), /a defect/);
});
