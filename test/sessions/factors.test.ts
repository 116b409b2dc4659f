import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TOTP } from 'otpauth';
import { openStore } from '../../src/store/sqlite.ts';
import { createFactors, MAX_FACTORS, RECOVERY_CODES, type Factors } from '../../src/session/factors.ts';
import { createSealKey } from '../../src/session/seal.ts';
import { mintTotpSecret, takeTotp, totpUri } from '../../src/session/totp.ts';

interface Rig {
  readonly factors: Factors;
  readonly clock: { now: number };
  readonly file: string;
}

async function withFactors(run: (rig: Rig) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-factors-'));
  const store = openStore(folder);
  try {
    const clock = { now: 1_800_000_000_000 };
    const account = { displayName: '', email: null, groups: [], passwordHash: null, disabled: false };
    for (const subject of ['ann', 'bob'])
      await store.accounts.insertAccount({ ...account, subject, name: subject, createdAt: 0, revision: 1 });
    const sealKey = createSealKey(randomBytes(32));
    const factors = createFactors({ store: store.factors, clock: { now: () => clock.now }, sealKey });
    await run({ factors, clock, file: join(folder, 'postern.db') });
  } finally {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const codeAt = (secret: string, at: number): string => new TOTP({ secret }).generate({ timestamp: at });

test('takeTotp() keeps the vectors of RFC 6238, six digits of them', async () => {
  // Appendix B, SHA-1: the secret is the ASCII text 12345678901234567890.
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  for (const [seconds, code] of [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_234_567_890, '005924'],
    [20_000_000_000, '353130'],
  ] as const) {
    const taken = await takeTotp({ secret, lastStep: -1 }, code, seconds * 1_000);
    assert.deepEqual(taken, { secret, lastStep: Math.floor(seconds / 30) });
  }
});

test('takeTotp() takes the neighbours of a step, each step once, and nothing else', async () => {
  const secret = mintTotpSecret();
  assert.match(secret, /^[A-Z2-7]{32}$/);
  const now = 1_800_000_015_000;
  for (const [offset, isTaken] of [
    [-60_000, false],
    [-30_000, true],
    [0, true],
    [30_000, true],
    [60_000, false],
  ] as const)
    assert.equal((await takeTotp({ secret, lastStep: -1 }, codeAt(secret, now + offset), now)) !== null, isTaken);
  const taken = await takeTotp({ secret, lastStep: -1 }, ` ${codeAt(secret, now).replace(/(...)/, '$1 ')} `, now);
  assert.ok(taken !== null, 'spaces do not matter');
  assert.equal(await takeTotp(taken, codeAt(secret, now), now), null, 'a code works once');
  assert.equal(await takeTotp(taken, codeAt(secret, now - 30_000), now), null, 'nor does an older one afterwards');
  assert.ok(await takeTotp(taken, codeAt(secret, now + 30_000), now + 30_000));
  const right = codeAt(secret, now);
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 40, unit: 'binary' }), async (typed) => {
      const isRight = typed.replaceAll(/[\s-]/g, '') === right;
      assert.equal((await takeTotp({ secret, lastStep: -1 }, typed, now)) !== null, isRight);
    }),
  );
});

const PHONE = { name: 'phone', isFirst: false };
const KEY = { name: 'key', isFirst: false };

test('totpUri() is the key URI that apps read', async () => {
  const uri = new URL(await totpUri('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', 'Acme Lab', 'ann@example.com'));
  assert.equal(uri.protocol, 'otpauth:');
  assert.equal(decodeURIComponent(uri.pathname), '/Acme Lab:ann@example.com');
  assert.equal(uri.searchParams.get('issuer'), 'Acme Lab');
  assert.equal(uri.searchParams.get('secret'), 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
});

test('checkCode() takes each code of an app once, also of two tries at once', async () => {
  await withFactors(async ({ factors, clock }) => {
    const secret = mintTotpSecret();
    assert.equal(await factors.isEnrolled('ann'), false);
    assert.equal(await factors.addTotp('ann', PHONE, secret, '000000x'), null);
    const id = await factors.addTotp('ann', PHONE, secret, codeAt(secret, clock.now));
    assert.equal(id, (await factors.overview('ann')).factors[0]?.id);
    assert.equal(await factors.isEnrolled('ann'), true);
    assert.deepEqual(await factors.checkCode('ann', codeAt(secret, clock.now)), { kind: 'wrong' }, 'used to set it up');
    clock.now += 60_000;
    const code = codeAt(secret, clock.now);
    const answers = await Promise.all([factors.checkCode('ann', code), factors.checkCode('ann', code)]);
    assert.deepEqual(answers.map(({ kind }) => kind).sort(), ['totp', 'wrong']);
    assert.deepEqual(await factors.checkCode('bob', codeAt(secret, clock.now + 30_000)), { kind: 'wrong' });
    const [factor] = (await factors.overview('ann')).factors;
    assert.equal(factor?.lastUsedAt, clock.now);
  });
});

test('recovery codes work once each, for their own account, in any spelling, and new ones void the old', async () => {
  await withFactors(async ({ factors, clock, file }) => {
    assert.equal(await factors.makeRecovery('ann', 'all'), null, 'there is nothing that they could stand in for');
    const secret = mintTotpSecret();
    const phone = await factors.addTotp('ann', PHONE, secret, codeAt(secret, clock.now));
    const codes = (await factors.makeRecovery('ann', 'all')) ?? [];
    assert.equal(codes.length, RECOVERY_CODES);
    assert.equal(new Set(codes).size, RECOVERY_CODES);
    const [first = '', second = '', third = ''] = codes;
    assert.match(first, /^[0-9a-f]{5}(-[0-9a-f]{5}){3}$/);
    assert.deepEqual(await factors.checkCode('bob', first), { kind: 'wrong' });
    const tries = await Promise.all([factors.checkCode('ann', first), factors.checkCode('ann', first)]);
    assert.deepEqual(tries.map(({ kind }) => kind).sort(), ['recovery', 'wrong']);
    assert.deepEqual(await factors.checkCode('ann', second.toUpperCase().replaceAll('-', ' ')), { kind: 'recovery' });
    assert.equal((await factors.overview('ann')).recoveryLeft, RECOVERY_CODES - 2);
    assert.equal(await factors.makeRecovery('ann', 'missing'), null);
    assert.equal((await factors.overview('ann')).recoveryLeft, RECOVERY_CODES - 2, 'some were left');
    const [renewed = ''] = (await factors.makeRecovery('ann', 'all')) ?? [];
    assert.deepEqual(await factors.checkCode('ann', third), { kind: 'wrong' });
    assert.equal(await factors.remove('ann', phone ?? ''), true);
    assert.equal(await factors.isEnrolled('ann'), false, 'codes alone are no second factor');
    assert.deepEqual(await factors.checkCode('ann', renewed), { kind: 'wrong' }, 'and they went with it');
    const stored = readFileSync(file, 'latin1') + readFileSync(`${file}-wal`, 'latin1');
    assert.ok(codes.every((code) => !stored.includes(code) && !stored.includes(code.replaceAll('-', ''))));
  });
});

test('checkCode() slows guessing down, up to a quarter of an hour, and forgives after the right code', async () => {
  await withFactors(async ({ factors, clock }) => {
    const secret = mintTotpSecret();
    await factors.addTotp('ann', PHONE, secret, codeAt(secret, clock.now));
    for (let i = 0; i < 5; i++) assert.deepEqual(await factors.checkCode('ann', '12345x'), { kind: 'wrong' });
    assert.deepEqual(await factors.checkCode('ann', '12345x'), { kind: 'wait', retryAfterMs: 2_000 });
    assert.deepEqual(await factors.checkCode('bob', '12345x'), { kind: 'wrong' }, 'others are not held back');
    let longest = 0;
    for (let i = 0; i < 40; i++) {
      const answer = await factors.checkCode('ann', '12345x');
      if (answer.kind !== 'wait') continue;
      longest = Math.max(longest, answer.retryAfterMs);
      clock.now += answer.retryAfterMs;
    }
    assert.equal(longest, 15 * 60_000);
    const wait = await factors.checkCode('ann', codeAt(secret, clock.now));
    assert.equal(wait.kind, 'wait', 'the right code waits too');
    clock.now += 15 * 60_000;
    const phone = (await factors.overview('ann')).factors[0]?.id;
    assert.deepEqual(await factors.checkCode('ann', codeAt(secret, clock.now)), { kind: 'totp', factor: phone });
    assert.deepEqual(await factors.checkCode('ann', '12345x'), { kind: 'wrong' });
  });
});

test('factors are sealed to their row, bounded in number, and go with their account', async () => {
  await withFactors(async ({ factors, clock, file }) => {
    const secret = mintTotpSecret();
    await factors.addTotp('ann', PHONE, secret, codeAt(secret, clock.now));
    const passkey = { credentialId: 'credential-1', publicKey: 'cHVibGlj', counter: 3, transports: ['usb'] };
    assert.notEqual(await factors.addPasskey('ann', KEY, passkey), null);
    assert.equal(await factors.addPasskey('bob', KEY, passkey), null, 'a credential belongs to one account');
    assert.ok(await factors.hasPasskeys());
    const found = await factors.findPasskey('credential-1');
    assert.deepEqual(found?.state, passkey);
    assert.equal(await found?.use(4), true);
    assert.equal(await found?.use(5), false, 'a use is a compare and swap');
    assert.equal((await factors.findPasskey('credential-1'))?.state.counter, 4);
    assert.equal(await factors.findPasskey('credential-2'), null);
    assert.ok(!(readFileSync(file, 'latin1') + readFileSync(`${file}-wal`, 'latin1')).includes(secret));
    for (let i = 0; i < MAX_FACTORS; i++) await factors.addPasskey('ann', KEY, { ...passkey, credentialId: `c${i}` });
    assert.equal((await factors.overview('ann')).factors.length, MAX_FACTORS);
    const [first] = (await factors.overview('ann')).factors;
    assert.equal(await factors.remove('bob', first?.id ?? ''), false, 'nobody removes those of others');
    assert.equal(await factors.remove('ann', first?.id ?? ''), true);
    assert.equal(await factors.removeAll('ann'), MAX_FACTORS - 1);
    assert.equal(await factors.isEnrolled('ann'), false);
    assert.equal(await factors.addTotp('nobody', PHONE, secret, codeAt(secret, clock.now)), null);
  });
});

test('of many factors that are to be the first at once, one is; and of many at once no more are kept than may be', async () => {
  await withFactors(async ({ factors, clock }) => {
    const addAll = (name: string, isFirst: boolean): Promise<(string | null)[]> =>
      Promise.all(
        Array.from({ length: 30 }, (_, at) => {
          if (at % 2 === 0) {
            const secret = mintTotpSecret();
            return factors.addTotp('ann', { name, isFirst }, secret, codeAt(secret, clock.now));
          }
          const state = { credentialId: `${name}-${at}`, publicKey: 'cHVibGlj', counter: 0, transports: [] };
          return factors.addPasskey('ann', { name, isFirst }, state);
        }),
      );
    const [first, ...others] = (await addAll('first', true)).filter((id) => id !== null);
    assert.deepEqual(others, []);
    assert.deepEqual(
      (await factors.overview('ann')).factors.map(({ id }) => id),
      [first],
    );
    const more = (await addAll('more', false)).filter((id) => id !== null);
    assert.equal(more.length, MAX_FACTORS - 1);
    assert.equal((await factors.overview('ann')).factors.length, MAX_FACTORS);
  });
});

test('recovery codes that were there before the first factor are void with it', async () => {
  await withFactors(async ({ factors, clock, file }) => {
    const secret = mintTotpSecret();
    const phone = await factors.addTotp('ann', PHONE, secret, codeAt(secret, clock.now));
    const [code = ''] = (await factors.makeRecovery('ann', 'all')) ?? [];
    const db = new DatabaseSync(file);
    db.prepare('DELETE FROM factors WHERE id = ?').run(phone);
    db.close();
    assert.equal((await factors.overview('ann')).recoveryLeft, RECOVERY_CODES, 'as versions before let it be');
    const next = mintTotpSecret();
    await factors.addTotp('ann', { name: 'phone', isFirst: true }, next, codeAt(next, clock.now));
    assert.deepEqual(await factors.checkCode('ann', code), { kind: 'wrong' });
  });
});
