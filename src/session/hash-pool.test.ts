import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { bcrypt } from 'hash-wasm';
import { createCostCeiling } from './cost-ceiling.ts';
import { createHashPool } from './hash-pool.ts';
import { verifyPassword } from './password-hash.ts';
import { createServicePasswords } from './service-passwords.ts';

const pool = createHashPool({ threads: 1 });
after(() => pool.close());

const salt = Buffer.from('0123456789abcdef');
const bcryptOf = (password: string, costFactor = 4): Promise<string> =>
  bcrypt({ password, salt, costFactor, outputType: 'encoded' });

test('hash() makes argon2id that verify() accepts for its password only', async () => {
  const made = await pool.hash('correct horse', '192.0.2.1');
  assert.ok(made.kind === 'hash');
  assert.match(made.hash, /^\$argon2id\$v=19\$m=65536,t=2,p=1\$/);
  assert.equal(await pool.verify(made.hash, 'correct horse', '192.0.2.1'), 'ok');
  assert.equal(await pool.verify(made.hash, 'correct horsE', '192.0.2.1'), 'wrong');
  assert.equal(await pool.verify(null, 'correct horse', '192.0.2.1'), 'wrong');
});

test('verify() reads bcrypt in every prefix, and 72 bytes of it', async () => {
  const hash = await bcryptOf('secret');
  for (const prefix of ['$2a', '$2b', '$2y']) {
    assert.equal(await pool.verify(hash.replace(/^\$2./, prefix), 'secret', 'p'), 'ok', prefix);
    assert.equal(await pool.verify(hash.replace(/^\$2./, prefix), 'Secret', 'p'), 'wrong');
  }
  const long = 'é'.repeat(36);
  assert.equal(await verifyPassword(await bcryptOf(long), `${long}tail`), true);
  assert.equal(await verifyPassword(await bcryptOf(long), long.slice(1)), false);
  assert.equal(await verifyPassword(hash, 'secret\u0000x'), false);
  assert.equal(await verifyPassword(hash, ''), false);
  // Made by `htpasswd -B`.
  assert.equal(await verifyPassword('$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'), true);
});

test('hashes that cannot be read or ask too much fit no password', async () => {
  const bad = [
    '',
    'secret',
    '$1$x',
    '$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    `$2b$31$${'a'.repeat(53)}`,
    `$argon2id$v=19$m=9999999,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    `$argon2i$v=19$m=64,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
  ];
  for (const hash of bad) {
    assert.equal(await verifyPassword(hash, 'x'), false, hash);
  }
});

test('a full queue answers busy, and an address cannot fill it alone', async () => {
  const small = createHashPool({ threads: 1, queueLength: 6 });
  const mine = Array.from({ length: 8 }, () => small.verify(null, 'x', '192.0.2.1'));
  const other = small.verify(null, 'x', '192.0.2.2');
  const answers = await Promise.all(mine);
  assert.deepEqual(answers.filter((it) => it === 'busy').length, 4);
  assert.equal(await other, 'wrong');
  const crowd = await Promise.all(Array.from({ length: 20 }, (_, n) => small.verify(null, 'x', `192.0.2.${n + 10}`)));
  assert.equal(crowd.filter((it) => it === 'wrong').length, 7);
  await small.close();
});

test('close() answers what waits and ends the threads', async () => {
  const closing = createHashPool({ threads: 1 });
  const waiting = Array.from({ length: 4 }, () => closing.verify(null, 'x', 'p'));
  await closing.close();
  assert.deepEqual(await Promise.all(waiting), ['busy', 'busy', 'busy', 'busy']);
  assert.equal(await closing.verify(null, 'x', 'p'), 'busy');
});

test('an address pays for the work of a thread, not for the time in which the machine stood still', async () => {
  const spent: number[] = [];
  const ceiling = { enter: () => true, leave: (_: string, ms: number) => void spent.push(ms) };
  const own = createHashPool({ threads: 1, ceiling });
  try {
    const answer = own.verify(null, 'x', 'p');
    // As a machine that sleeps, or a program that is paused: nothing of this thread runs.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
    assert.equal(await answer, 'wrong');
    assert.equal(spent.length, 1);
    assert.ok((spent[0] ?? 0) > 5 && (spent[0] ?? 0) < 3_000, `${spent[0]} ms`);
  } finally {
    await own.close();
  }
});

test('an address pays for the lanes of a hash that are worked on in other threads, too', async () => {
  const spent: number[] = [];
  const ceiling = { enter: () => true, leave: (_: string, ms: number) => void spent.push(ms) };
  const own = createHashPool({ threads: 1, ceiling });
  const costOf = async (lanes: number): Promise<number> => {
    const before = process.cpuUsage();
    await own.verify(`$argon2id$v=19$m=16384,t=24,p=${lanes}$${'A'.repeat(22)}$${'A'.repeat(43)}`, 'x', 'p');
    const { user, system } = process.cpuUsage(before);
    // Of all threads of this process, of which no other does anything.
    return (spent.at(-1) ?? 0) / ((user + system) / 1_000 / lanes);
  };
  try {
    await own.verify(null, 'x', 'p');
    for (const lanes of [1, 4, 8]) {
      const share = await costOf(lanes);
      assert.ok(share > 0.5, `${lanes} lanes: ${share} of the time of one`);
    }
  } finally {
    await own.close();
  }
});

test('a cost ceiling is per address, refills with time and bounds its memory', () => {
  let now = 0;
  const ceiling = createCostCeiling(() => now);
  assert.ok(ceiling.enter('2001:db8::1'));
  ceiling.leave('2001:db8::1', 25_000);
  assert.ok(!ceiling.enter('2001:db8::2'), 'the same /64');
  assert.ok(ceiling.enter('192.0.2.1'));
  now += 30_000;
  assert.ok(ceiling.enter('2001:db8::1'));
});

test('a service password is right for its own service only, and unknown names are checked too', async () => {
  const services = new Map([
    ['promtail', [await bcryptOf('p1'), await bcryptOf('p2')]],
    ['agent', [await bcryptOf('a1')]],
  ]);
  let checks = 0;
  const counting = { ...pool, verify: (...args: Parameters<typeof pool.verify>) => (checks++, pool.verify(...args)) };
  const verify = createServicePasswords({ pool: counting, services: () => services });
  assert.equal(await verify('promtail', 'p2', 'p'), 'ok');
  assert.equal(await verify('agent', 'p1', 'p'), 'wrong');
  checks = 0;
  for (const name of ['nobody', '__proto__', 'constructor', '']) {
    for (const password of ['p1', 'p2', 'a1']) assert.equal(await verify(name, password, 'p'), 'wrong');
  }
  assert.ok(checks >= 12);
});
