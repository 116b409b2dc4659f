import assert from 'node:assert/strict';
import { createCipheriv, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assert as check, integer, property, uint8Array } from 'fast-check';
import { FakeClock, foundOf, headersOf, HOUR, kindOf, makeSession, makeSettings, NAME, PLACE } from '../_keeper-rig.ts';
import { broughtBy } from '../../cookie-text.ts';
import { Revocations } from '../revocations.ts';
import { createStatelessKeeper } from '../stateless-keeper.ts';
import { readLz4Frame } from './lz4-frame.ts';
import { readMessagePack } from './message-pack.ts';
import { readOriginalCookie } from './original-cookie.ts';
import { withOriginalSessions } from './original-sessions.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { DeskKeeper } from '../session-desk.ts';
import type { OriginalTraits } from './original-cookie.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 2_000);
const VECTOR = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../../test/vectors/oauth2-proxy-session.json'), 'utf8'),
) as { readonly name: string; readonly secret: string; readonly now: number; readonly value: string };
const SECRET = Buffer.from(VECTOR.secret);
const traits: OriginalTraits = { name: NAME, secret: SECRET, now: VECTOR.now, expireMs: 168 * HOUR, issuer: null };
const ISSUER = 'http://127.0.0.1:45089';

/** A cookie as the original signs it, around whatever payload. */
function signed(payload: string, seconds: number | string = Math.floor(VECTOR.now / 1_000)): string {
  const text = createHmac('sha256', SECRET).update(`${NAME}${payload}${seconds}`).digest('base64url');
  return `${payload}|${seconds}|${text}=`;
}

/** Around a frame: one stored block. */
function sealed(plain: Buffer): string {
  const size = Buffer.alloc(4);
  size.writeUInt32LE((plain.length | 0x80_00_00_00) >>> 0);
  const frame = Buffer.concat([Buffer.from('04224d18604000', 'hex'), size, plain, Buffer.alloc(4)]);
  const iv = Buffer.alloc(16, 7);
  const cipher = createCipheriv('aes-256-cfb', SECRET, iv);
  const text = Buffer.concat([iv, cipher.update(frame), cipher.final()]).toString('base64');
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

test('readOriginalCookie() reads a cookie that the real program made', () => {
  const session = readOriginalCookie(VECTOR.value, traits) as AuthSession;
  assert.equal(session.createdAt, VECTOR.now - 60_000 + 519);
  assert.equal(session.expiresOn, 1_795_708_500_507);
  assert.deepEqual(
    [session.user, session.email, session.preferredUsername],
    ['sub-alice', 'alice@example.com', 'alice'],
  );
  assert.deepEqual(session.groups, ['/developers', '/developers/lead', 'ops']);
  assert.equal(session.refreshToken, 'rt-86a00a88-91f5-476e-a1fe-375edd3ca486');
  assert.equal(session.via, 'provider');
  for (const token of [session.idToken, session.accessToken]) assert.match(token, /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/);
});

test('readOriginalCookie() takes none of another name, secret, issuer or time', () => {
  const read = (more: Partial<OriginalTraits>): AuthSession | null =>
    readOriginalCookie(VECTOR.value, { ...traits, ...more });
  assert.ok(read({ issuer: ISSUER }));
  assert.equal(read({ issuer: 'https://id.example.com' }), null);
  assert.equal(read({ name: 'other' }), null);
  assert.equal(read({ secret: Buffer.from('another-secret-of-32-bytes-long!') }), null);
  assert.equal(read({ now: VECTOR.now + 168 * HOUR }), null);
  assert.equal(read({ now: VECTOR.now - 10 * 60_000 }), null);
  assert.ok(read({ now: VECTOR.now + 168 * HOUR, expireMs: 0 }));
});

test('readOriginalCookie() takes none that was changed, cut or written otherwise', () => {
  const { value } = VECTOR;
  const [payload = '', seconds = '', signature = ''] = value.split('|');
  for (let at = 0; at < value.length; at += 13) {
    const changed = value.slice(0, at) + (value[at] === 'A' ? 'B' : 'A') + value.slice(at + 1);
    assert.equal(readOriginalCookie(changed, traits), null, String(at));
  }
  for (const odd of [
    '',
    '|||',
    '||',
    `"${value}"`,
    value.slice(0, -1),
    value.slice(1),
    `${value}|`,
    `${payload}|0${seconds}|${signature}`,
    `${payload}|${seconds}|${signature.replace(/=$/, '')}`,
    `${payload}| ${seconds}|${signature}`,
    `|${seconds}|${signature}`,
  ])
    assert.equal(readOriginalCookie(odd, traits), null, odd);
});

test('readOriginalCookie() never throws for what is signed but is no session', () => {
  for (const plain of ['', '\u0080', '\u0081\u00a2ca\u0001', '\u00dc\u00ff\u00ff', '\u0091'.repeat(40), '\u00c1', 'x'])
    assert.equal(readOriginalCookie(signed(sealed(Buffer.from(plain, 'latin1'))), traits), null);
  // Of the password file: nobody's e-mail, no token.
  const user = Buffer.concat([Buffer.from('82a26361d6ff6ae00000a175a3', 'hex'), Buffer.from('bob')]);
  assert.equal(readOriginalCookie(signed(sealed(user)), traits), null);
  check(
    property(uint8Array({ maxLength: 200 }), (bytes) => {
      readOriginalCookie(signed(sealed(Buffer.from(bytes))), traits);
      const text = Buffer.from(bytes).toString('base64url');
      assert.equal(readOriginalCookie(signed(text === '' ? 'A' : text), traits), null);
    }),
    { numRuns: RUNS },
  );
});

test('readLz4Frame() reads literals, matches that overlap and blocks that reach back, and stays within its bound', () => {
  const frame = (...blocks: readonly string[]): Buffer => {
    const parts = blocks.map((hex) => {
      const block = Buffer.from(hex, 'hex');
      const size = Buffer.alloc(4);
      size.writeUInt32LE(block.length);
      return Buffer.concat([size, block]);
    });
    return Buffer.concat([Buffer.from('04224d18604000', 'hex'), ...parts, Buffer.alloc(4)]);
  };
  // "ab", then eight from two back, then "!"; in the next block eight from one back, which is in the first.
  assert.equal(readLz4Frame(frame('24616202001021'), 64).toString(), 'ababababab!');
  assert.equal(readLz4Frame(frame('24616202001021', '0401001021'), 64).toString(), 'ababababab!!!!!!!!!!');
  // A match of 4 + 15 + 255 * 4 bytes.
  const long = readLz4Frame(frame('1f610100ffffffff00'), 2_000);
  assert.deepEqual([long.length, new Set(long)], [1 + 4 + 15 + 255 * 4, new Set([0x61])]);
  assert.throws(() => readLz4Frame(frame('1f610100ffffffff00'), 100), RangeError);
  assert.throws(() => readLz4Frame(frame('14610200'), 64), /before its begin/);
  assert.throws(() => readLz4Frame(frame('14610000'), 64), /before its begin/);
  check(
    property(uint8Array({ maxLength: 300 }), integer({ min: 0, max: 255 }), (bytes, flags) => {
      const head = Buffer.from([4, 0x22, 0x4d, 0x18, (flags & 0x3f) | 0x40, 0x40, 0]);
      try {
        assert.ok(readLz4Frame(Buffer.concat([head, Buffer.from(bytes)]), 1_000).length <= 1_000);
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: RUNS },
  );
});

test('readMessagePack() reads the table of the format, and refuses what does not end with its value', () => {
  const read = (hex: string): unknown => readMessagePack(Buffer.from(hex, 'hex'));
  assert.deepEqual(read('83a161c0a162c3a163920 1ff'.replaceAll(' ', '')), { a: null, b: true, c: [1, -1] });
  assert.deepEqual([read('cd0102'), read('d1ff00'), read('cb3ff8000000000000')], [258, -256, 1.5]);
  assert.deepEqual([read('d90161'), read('c4020102'), read('dc0001c2')], ['a', Buffer.from([1, 2]), [false]]);
  assert.equal(read('d6ff00000001'), 1_000);
  assert.equal(read('d7ff7735940000000001'), 1_500);
  assert.equal(read('c70cff1dcd6500ffffffffffffffff'), -500);
  for (const hex of [
    '',
    'c1',
    '81',
    'd90561',
    'c0c0',
    'd60100000001',
    'c703ff000000',
    '8101c0',
    '91'.repeat(30) + 'c0',
  ])
    assert.throws(() => read(hex), /MessagePack/, hex);
  check(
    property(uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        readMessagePack(Buffer.from(bytes));
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: RUNS },
  );
});

interface Rig {
  readonly keeper: DeskKeeper;
  readonly clock: FakeClock;
  readonly secret: { bytes: Buffer; readonly read: () => Buffer };
}

async function open(wrap = (own: DeskKeeper): DeskKeeper => own): Promise<Rig> {
  const clock = new FakeClock();
  clock.at = VECTOR.now;
  const secret = { bytes: SECRET, read: (): Buffer => secret.bytes };
  const settings = makeSettings({ secret, issuer: ISSUER });
  const revocations = await Revocations.open(null, { clock, settings });
  const own = createStatelessKeeper(settings, { clock, isMinimal: false, revocations });
  const keeper = withOriginalSessions(wrap(own), { settings, clock, revocations });
  return { keeper, clock, secret };
}

const GONE = 'absent, had a cookie';
const WHOLE = headersOf(`${NAME}=${VECTOR.value}`);

test('a session of the original is found, whole or in parts, and at once when it is known', async () => {
  const { keeper, clock } = await open();
  assert.equal((await foundOf(keeper, WHOLE)).session.email, 'alice@example.com');
  assert.ok(!(keeper.find(WHOLE) instanceof Promise));
  const [a, b] = [VECTOR.value.slice(0, 900), VECTOR.value.slice(900)];
  assert.equal(await kindOf(keeper, headersOf(`${NAME}_1=${b}; ${NAME}_0=${a}`)), 'found');
  for (const odd of [
    `${NAME}_1=${b}; ${NAME}_2=${a}`,
    `${NAME}_0=${a}`,
    `${NAME}_0=${a}; ${NAME}_0=${a}; ${NAME}_1=${b}`,
  ])
    assert.equal(await kindOf(keeper, headersOf(odd)), GONE);
  assert.equal(await kindOf(keeper, headersOf(`${NAME}=${VECTOR.value}; ${NAME}=x`)), GONE);
  clock.advance(168 * HOUR);
  assert.equal(await kindOf(keeper, WHOLE), GONE);
});

test('a session of the original that was ended stays ended', async () => {
  const { keeper } = await open();
  const { handle } = await foundOf(keeper, WHOLE);
  const lines = await keeper.end(WHOLE, PLACE);
  assert.match(lines.join(), new RegExp(`^${NAME}=; .*Max-Age=0`));
  assert.equal(await kindOf(keeper, WHOLE), GONE);
  await assert.rejects(keeper.replace(handle, makeSession(), PLACE, WHOLE), { code: 'ACCESS_DENIED' });
});

test('a session of the original becomes one of ours when it is renewed; its cookie counts a minute longer', async () => {
  const { keeper, clock } = await open();
  const { handle } = await foundOf(keeper, WHOLE);
  const fresh = makeSession({ createdAt: clock.at });
  const [line = ''] = await keeper.replace(handle, fresh, PLACE, WHOLE);
  const own = headersOf(line.split(';')[0] ?? '');
  assert.deepEqual((await foundOf(keeper, own)).session, fresh);
  assert.deepEqual((await foundOf(keeper, WHOLE)).session, fresh);
  clock.advance(60_000);
  assert.equal(await kindOf(keeper, WHOLE), GONE);
  assert.equal(await kindOf(keeper, own), 'found');
});

test('a session of the original that is ended before it is renewed does not come back as one of ours', async () => {
  const { keeper, clock } = await open();
  const { handle, session } = await foundOf(keeper, WHOLE);
  assert.equal(await keeper.desk.revokeByPerson('oidc', session.user), 1);
  clock.advance(1);
  const fresh = { ...session, createdAt: clock.at };
  await assert.rejects(keeper.replace(handle, fresh, PLACE, WHOLE), { code: 'ACCESS_DENIED' });
  assert.equal(await kindOf(keeper, WHOLE), GONE);
});

test('a session of the original that is ended while its next form is kept does not live on in it', async () => {
  const kept: (readonly string[])[] = [];
  const { keeper, clock } = await open((own) => ({
    ...own,
    async open(session, ...rest) {
      await keeper.desk.revokeByPerson('oidc', session.user);
      clock.advance(1);
      kept.push(await own.open(session, ...rest));
      return kept[0] ?? [];
    },
  }));
  const { handle, session } = await foundOf(keeper, WHOLE);
  await assert.rejects(keeper.replace(handle, { ...session, createdAt: clock.at }, PLACE, WHOLE), {
    code: 'ACCESS_DENIED',
  });
  assert.equal(kept.length, 1);
  assert.equal(await kindOf(keeper, broughtBy(kept[0] ?? [])), GONE);
  assert.equal(await kindOf(keeper, WHOLE), GONE);
});

test('a sign-in ends the session of the original that the browser came with, another secret all of them', async () => {
  const { keeper, clock } = await open();
  await keeper.open(makeSession({ createdAt: clock.at }), PLACE, WHOLE);
  assert.equal(await kindOf(keeper, WHOLE), GONE);
  const other = await open();
  assert.equal(await kindOf(other.keeper, WHOLE), 'found');
  other.secret.bytes = Buffer.from('another-secret-of-32-bytes-long!');
  other.clock.advance(1_000);
  assert.equal(await kindOf(other.keeper, WHOLE), GONE);
});

test('a session of the original is listed once it was seen, and revoked by id, person and sid', async () => {
  const SUBJECT = (await foundOf((await open()).keeper, WHOLE)).session.user;
  const [unseen, byId, byPerson] = [await open(), await open(), await open()];
  assert.deepEqual(await unseen.keeper.desk.list(), []);
  await foundOf(byId.keeper, WHOLE);
  const [line] = await byId.keeper.desk.list();
  assert.deepEqual([line?.person.provider, line?.person.name], ['oidc', 'alice@example.com']);
  assert.equal(await byId.keeper.desk.revoke(line?.key ?? ''), 1);
  assert.equal(await kindOf(byId.keeper, WHOLE), GONE);
  assert.deepEqual(await byId.keeper.desk.list(), []);
  await foundOf(byPerson.keeper, WHOLE);
  assert.equal(await byPerson.keeper.desk.revokeByPerson('oidc', SUBJECT), 1);
  assert.equal(await kindOf(byPerson.keeper, WHOLE), GONE);
  // Also by somebody who has not seen it.
  assert.equal(await unseen.keeper.desk.revokeByPerson('oidc', SUBJECT), 0);
  assert.equal(await kindOf(unseen.keeper, WHOLE), GONE);
});
