import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTable } from '../route/compile.ts';
import { loadDocument } from '../config/load.ts';
import type { SessionAnswer, TokenAnswer } from '../session/record.ts';
import type { Renewal } from '../sign-in/refresher.ts';
import { createTokenDesk } from './token-desk.ts';

const DOCUMENT = `version: 1
providers: { k: { type: keycloak, issuer: https://id.example.com/realms/main, client_id: c, client_secret: s } }
sign_in: { url: https://auth.example.com }
hosts:
  app.example.com: { to: "http://127.0.0.1:1", allow: [signed-in], identity_headers: { access_token: Authorization, id_token: X-Id } }
  one.example.com: { to: "http://127.0.0.1:1", allow: [signed-in], identity_headers: { access_token: X-Token } }
  other.example.com: { to: "http://127.0.0.1:1", allow: [signed-in] }
`;
const MINUTE = 60_000;

interface Grant {
  accessToken: string | null;
  refreshToken: string | null;
  idToken: string | null;
  expiresAt: number | null;
  idTokenExpiresAt: number | null;
}

function createRig(over: Partial<Grant> = {}, found: Partial<SessionAnswer> = {}) {
  let now = 1_000_000;
  const rig = {
    grant: {
      accessToken: 'at-1',
      refreshToken: 'rt',
      idToken: 'it-1',
      expiresAt: now + 5 * MINUTE,
      idTokenExpiresAt: now + 5 * MINUTE,
      ...over,
    } as Grant | undefined,
    /** What renewing does. */
    renew: (): Renewal => 'unavailable',
    renewals: 0,
    warnings: [] as string[],
    advance: (ms: number) => (now += ms),
    now: () => now,
  };
  const { document } = loadDocument({ text: DOCUMENT, file: 'postern.yaml', env: {}, readFile: () => '' });
  assert.ok(document !== null);
  const { table } = compileTable(document);
  const session = { key: 'k', parent: 'p', host: 'app.example.com', person: { provider: 'k' } };
  const desk = createTokenDesk({
    sessions: {
      find: async () => ({ kind: 'found', session, ...found }) as unknown as SessionAnswer,
      findGrant: async () => rig.grant,
    },
    renew: async () => {
      rig.renewals++;
      return rig.renew();
    },
    table: () => table,
    clock: { now: () => now },
    warn: (message) => rig.warnings.push(message),
  });
  const ask = (host = 'app.example.com'): Promise<TokenAnswer> =>
    desk.find({ key: 'k', host, tokens: ['access_token', 'id_token'] });
  return { ...rig, rig, ask, desk };
}

test('createTokenDesk() hands out what the host asks for, and nothing to a host that does not', async () => {
  const { ask, rig } = createRig();
  const until = rig.now() + 5 * MINUTE - 5_000;
  assert.deepEqual(await ask(), { kind: 'found', accessToken: 'at-1', idToken: 'it-1', until });
  assert.deepEqual(await ask('one.example.com'), { kind: 'found', accessToken: 'at-1', idToken: null, until });
  for (const host of ['other.example.com', 'evil.example.com', 'auth.example.com']) {
    const answer = await ask(host);
    assert.ok(answer.kind === 'found' && answer.accessToken === null && answer.idToken === null, host);
  }
  assert.equal(rig.renewals, 0);
});

test('createTokenDesk() renews what is about to end first, and hands out the new one', async () => {
  const { ask, rig } = createRig();
  rig.renew = () => {
    const end = rig.now() + 5 * MINUTE;
    rig.grant = { accessToken: 'at-2', refreshToken: 'rt', idToken: 'it-2', expiresAt: end, idTokenExpiresAt: end };
    return 'renewed';
  };
  rig.advance(5 * MINUTE - 4_000);
  const answer = await ask();
  assert.ok(answer.kind === 'found' && answer.accessToken === 'at-2' && answer.idToken === 'it-2');
  await ask();
  assert.equal(rig.renewals, 1);
});

test('createTokenDesk() serves what there is to its end while the provider is away, then nothing, and nobody is signed out', async () => {
  const { ask, rig } = createRig();
  rig.advance(5 * MINUTE - 4_000);
  const answer = await ask();
  assert.ok(answer.kind === 'found' && answer.accessToken === 'at-1');
  assert.equal(answer.until, rig.now() + 1_000, 'looked at again every moment');
  rig.advance(4_000);
  assert.deepEqual(await ask(), { kind: 'unavailable' });
  rig.renew = () => 'ended';
  assert.deepEqual(await ask(), { kind: 'absent' });
});

test('createTokenDesk() gives none where there is none: a local account, an OAuth provider without ID tokens', async () => {
  const local = createRig();
  local.rig.grant = undefined;
  const none = await local.ask();
  assert.ok(none.kind === 'found' && none.accessToken === null && none.idToken === null);
  const github = createRig({ idToken: null, expiresAt: null, idTokenExpiresAt: null, refreshToken: null });
  const answer = await github.ask();
  assert.deepEqual(answer, {
    kind: 'found',
    accessToken: 'at-1',
    idToken: null,
    until: github.rig.now() + 5 * MINUTE,
  });
});

test('createTokenDesk() says of what has expired and no refresh renews that it takes another sign-in; in the log once, and without a loop', async () => {
  const { ask, rig, desk } = createRig({ expiresAt: 1_000_000 + 20 * MINUTE });
  // A provider whose refresh answers have no ID token.
  rig.renew = () => 'renewed';
  rig.advance(5 * MINUTE);
  assert.equal(await desk.hasEnded('p', ['id_token']), false, 'it may be renewed');
  for (let i = 0; i < 10; i++) assert.deepEqual(await ask(), { kind: 'expired' });
  assert.equal(rig.renewals, 1);
  assert.deepEqual(rig.warnings.length, 1);
  assert.match(rig.warnings[0] ?? '', /renews no such token.*"id_token" send people to sign in again/);
  assert.equal(await desk.hasEnded('p', ['id_token']), true);
  assert.equal(await desk.hasEnded('p', ['access_token']), false);
  const one = await ask('one.example.com');
  assert.ok(one.kind === 'found' && one.accessToken === 'at-1', 'where the other token is enough');
});

test('createTokenDesk() without a refresh token: to its end, and not a moment longer', async () => {
  const { ask, rig, desk } = createRig({ refreshToken: null });
  rig.advance(5 * MINUTE - 1);
  const last = await ask();
  assert.ok(last.kind === 'found' && last.accessToken === 'at-1' && last.until <= rig.now() + 1);
  assert.equal(await desk.hasEnded('p', ['access_token']), false);
  rig.advance(1);
  assert.deepEqual(await ask(), { kind: 'expired' });
  assert.equal(await desk.hasEnded('p', ['access_token']), true);
  assert.match(rig.warnings[0] ?? '', /gave no refresh token/);
  assert.equal(rig.renewals, 0);
  rig.grant = undefined;
  assert.equal(await desk.hasEnded('p', ['access_token']), false, 'a session without a provider has none to end');
});

test('createTokenDesk() hands out nothing that is no token, and nothing for a session that is over', async () => {
  for (const accessToken of ['a b', 'a\r\nX-Admin: 1', 'ä', '', 'x'.repeat(16_385)]) {
    const answer = await createRig({ accessToken, idToken: null }).ask();
    assert.ok(answer.kind === 'found' && answer.accessToken === null, accessToken.slice(0, 10));
  }
  assert.deepEqual(await createRig({}, { kind: 'absent' }).ask(), { kind: 'absent' });
  assert.deepEqual(await createRig({}, { kind: 'unavailable' }).ask(), { kind: 'unavailable' });
});
