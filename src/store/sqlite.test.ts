import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { sessionStoreContract } from './session-store-contract.ts';
import { mayAnybodyWrite } from './data-folder.ts';
import { openMemoryStore, openStore } from './sqlite.ts';
import type { Account } from '../core/account-store.ts';

const folders: string[] = [];
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-store-'));
  folders.push(folder);
  return folder;
}
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const account = (name: string): Account => ({
  subject: `subject-${name}`,
  name,
  displayName: name,
  email: null,
  groups: ['ops'],
  passwordHash: null,
  disabled: false,
  createdAt: 1,
  revision: 1,
});

sessionStoreContract('SQLite', () => {
  const store = openStore(makeFolder());
  return { store: store.sessions, close: () => store.close() };
});

sessionStoreContract('SQLite in memory', () => {
  const store = openMemoryStore();
  return { store: store.sessions, close: () => store.close() };
});

test('openStore() makes a folder of mode 700 and files of mode 600', () => {
  const folder = join(makeFolder(), 'deep', 'data');
  const store = openStore(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const file of readdirSync(folder)) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  assert.ok(readdirSync(folder).includes('postern.db-wal'));
  store.close();
});

test('openStore() takes loose modes back from its files', () => {
  const folder = makeFolder();
  openStore(folder).close();
  for (const file of ['postern.db', 'seal.key']) chmodSync(join(folder, file), 0o644);
  const store = openStore(folder);
  for (const file of ['postern.db', 'seal.key']) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600);
  store.close();
});

test('mayAnybodyWrite() tells of a folder in which others could replace the database', () => {
  const folder = makeFolder();
  openStore(folder).close();
  assert.equal(mayAnybodyWrite(folder), false);
  for (const [mode, isOpen] of [
    [0o777, true],
    [0o1777, true],
    // Volumes that belong to a group.
    [0o2770, false],
    [0o755, false],
  ] as const) {
    chmodSync(folder, mode);
    assert.equal(mayAnybodyWrite(folder), isOpen, mode.toString(8));
  }
});

test('openStore() keeps instance, key, accounts and sessions over a restart', async () => {
  const folder = makeFolder();
  const first = openStore(folder);
  assert.match(first.instance, /^[a-z0-9]{8}$/);
  assert.equal(first.sealKey.length, 32);
  assert.equal(await first.accounts.insertAccount(account('ada')), true);
  first.close();
  const second = openStore(folder);
  assert.equal(second.instance, first.instance);
  assert.deepEqual(second.sealKey, first.sealKey);
  assert.deepEqual(await second.accounts.findAccountByName('ada'), account('ada'));
  second.close();
});

test('openStore() refuses a folder of a newer version and overwrites nothing', () => {
  const folder = makeFolder();
  openStore(folder).close();
  const db = new DatabaseSync(join(folder, 'postern.db'));
  db.exec('PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  const before = readFileSync(join(folder, 'postern.db'));
  assert.throws(() => openStore(folder), { code: 'DATA_DIR_NEWER', message: /schema version 99/ });
  assert.deepEqual(readFileSync(join(folder, 'postern.db')), before);
  // And the lock is not left behind.
  assert.throws(() => openStore(folder), { code: 'DATA_DIR_NEWER' });
});

test('openStore() refuses what is not its database', () => {
  const text = makeFolder();
  writeFileSync(
    join(text, 'postern.db'),
    'This is not a database, but it is longer than a header of one hundred bytes would be, so look closer.',
  );
  assert.throws(() => openStore(text), { code: 'DATA_DIR_UNUSABLE', message: /not an SQLite database/ });
  const other = makeFolder();
  const db = new DatabaseSync(join(other, 'postern.db'));
  db.exec('CREATE TABLE theirs (x)');
  db.close();
  assert.throws(() => openStore(other), { code: 'DATA_DIR_UNUSABLE', message: /another program/ });
  const key = makeFolder();
  writeFileSync(join(key, 'seal.key'), 'short');
  assert.throws(() => openStore(key), { code: 'DATA_DIR_UNUSABLE', message: /not a key of 32 bytes/ });
});

test('openStore() refuses a path that is a file, and a folder that it cannot make', () => {
  const folder = makeFolder();
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => openStore(join(folder, 'file')), { code: 'DATA_DIR_UNUSABLE' });
  assert.throws(() => openStore(join(folder, 'file', 'data')), { code: 'DATA_DIR_UNUSABLE' });
  assert.throws(() => openStore('/proc/postern-data'), { code: 'DATA_DIR_UNUSABLE' });
});

test('openStore() refuses a folder that is in use, and says by whom', () => {
  const folder = makeFolder();
  const store = openStore(folder);
  assert.throws(() => openStore(folder), { code: 'DATA_DIR_LOCKED', message: new RegExp(`pid ${process.pid}`) });
  store.close();
  openStore(folder).close();
});

test('a full disk fails writes with a remedy, keeps what was there, and heals', async () => {
  const folder = makeFolder();
  const store = openStore(folder);
  await store.accounts.insertAccount(account('ada'));
  // SQLite reports a full disk in just this way when the file may not grow.
  store.limitPages(30);
  const big = account('big');
  await assert.rejects(store.accounts.insertAccount({ ...big, displayName: 'x'.repeat(500_000) }), {
    code: 'STORE_UNAVAILABLE',
    message: /disk is full/,
  });
  assert.notEqual(await store.accounts.findAccountByName('ada'), null);
  assert.equal(await store.accounts.findAccountByName('big'), null);
  store.limitPages(1_000_000);
  assert.equal(await store.accounts.insertAccount(big), true);
  store.close();
  await assert.rejects(store.accounts.insertAccount(account('late')), { code: 'STORE_UNAVAILABLE' });
  await assert.rejects(store.accounts.findAccountByName('ada'), { code: 'STORE_UNAVAILABLE' });
});

test('close() commits what is queued', async () => {
  const folder = makeFolder();
  const store = openStore(folder);
  const added = store.accounts.insertAccount(account('ada'));
  store.close();
  assert.equal(await added, true);
  const again = openStore(folder);
  assert.notEqual(await again.accounts.findAccountByName('ada'), null);
  again.close();
});

test('updateAccount() changes fields in one step and counts revisions', async () => {
  const store = openStore(makeFolder());
  await store.accounts.insertAccount(account('ada'));
  assert.equal(await store.accounts.insertAccount({ ...account('ada'), subject: 'other' }), false);
  await Promise.all([
    store.accounts.updateAccount('subject-ada', { groups: ['a'] }),
    store.accounts.updateAccount('subject-ada', { disabled: true }),
  ]);
  const now = await store.accounts.findAccount('subject-ada');
  assert.deepEqual([now?.groups, now?.disabled, now?.revision], [['a'], true, 3]);
  assert.equal(await store.accounts.updateAccount('nobody', {}), null);
  store.close();
});

test('consumeLink() sets the password once and ends the other links of the account', async () => {
  const store = openStore(makeFolder());
  await store.accounts.insertAccount(account('ada'));
  await store.accounts.putLink('t1', 'subject-ada', 5_000);
  await store.accounts.putLink('t2', 'subject-ada', 5_000);
  const results = await Promise.all([
    store.accounts.consumeLink('t1', 1_000, 'h1'),
    store.accounts.consumeLink('t2', 1_000, 'h2'),
  ]);
  assert.deepEqual(
    results.map((it) => it?.passwordHash ?? null),
    ['h1', null],
  );
  await store.accounts.putLink('t3', 'subject-ada', 5_000);
  assert.equal(await store.accounts.consumeLink('t3', 5_000, 'h3'), null);
  store.close();
});

/** Writes without end and says on stdout what was acknowledged. */
const WRITER = `
const { openStore } = await import(process.argv[1]);
const store = openStore(process.argv[2]);
const run = process.argv[3];
const say = (line) => process.stdout.write(line + '\\n');
say('open');
const base = { provider: 'local', authority: '', providerSession: null, value: 'v', createdAt: 1, expiresAt: 9e12, lastSeenAt: 1 };
async function chain(lane) {
  for (let n = 0; ; n++) {
    const id = run + '-' + lane + '-' + n;
    await store.accounts.insertAccount({ subject: id, name: id, displayName: '', email: null, groups: [], passwordHash: null, disabled: false, createdAt: 1, revision: 1 });
    say('account ' + id);
    await store.sessions.putSignIn({ ...base, key: id, subject: id }, 'h');
    say('session ' + id);
    void store.sessions.touch([[id, 5]]);
    if (n % 2 === 0) continue;
    await store.sessions.deleteSignIns({ by: 'cookie', key: id });
    say('revoked ' + id);
  }
}
for (let lane = 0; lane < 8; lane++) void chain(lane);
`;

test('kill -9 at any moment loses no acknowledged account, session or revocation', { timeout: 120_000 }, async () => {
  const folder = makeFolder();
  mkdirSync(folder, { recursive: true });
  const module = new URL('./sqlite.ts', import.meta.url).href;
  const acknowledged: string[] = [];
  const counted = (what: string): number => acknowledged.filter((line) => line.startsWith(what)).length;
  // Eight rounds, and more where the machine is slow to do anything.
  for (let round = 0; round < 8 || (counted('revoked ') < 10 && round < 80); round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, module, folder, `r${round}`]);
    let output = '';
    let failure = '';
    child.stderr.on('data', (chunk: Buffer) => (failure += chunk.toString()));
    const opened = Promise.withResolvers<void>();
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.startsWith('open\n')) opened.resolve();
    });
    const closed = new Promise<void>((resolve) => {
      child.on('close', () => resolve());
    });
    await Promise.race([opened.promise, closed]);
    if (round === 0) {
      const locked = { code: 'DATA_DIR_LOCKED', message: new RegExp(`pid ${child.pid}\\b`) };
      assert.throws(() => openStore(folder), locked, 'another process has it');
    }
    // Not for something to happen, but at no moment in particular.
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 120);
    await closed;
    assert.equal(failure, '');
    acknowledged.push(...output.slice(0, output.lastIndexOf('\n') + 1).split('\n'));
  }
  const store = openStore(folder);
  const revoked = new Set(acknowledged.filter((line) => line.startsWith('revoked ')).map((line) => line.slice(8)));
  let checked = 0;
  for (const line of acknowledged) {
    const [what, id = ''] = line.split(' ');
    if (what === 'account') assert.notEqual(await store.accounts.findAccount(id), null, line);
    // A session of an odd number may have been revoked without the news getting out.
    else if (what === 'session' && /[02468]$/.test(id))
      assert.notEqual(await store.sessions.findSession(id), null, line);
    else if (what === 'revoked') assert.equal(await store.sessions.findSession(id), null, line);
    else continue;
    checked++;
  }
  assert.ok(checked > 20 && revoked.size > 5, `only ${checked} acknowledgements`);
  store.close();
});
