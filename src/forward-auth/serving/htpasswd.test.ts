import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { bcrypt } from 'hash-wasm';
import { createHashPool } from '../../session/hash-pool.ts';
import { openHtpasswdFile, parseHtpasswd } from './htpasswd-file.ts';
import { createHtpasswd, type Htpasswd } from './htpasswd.ts';
import { startServing } from './_rig.ts';

const SHA_OF_SECRET = '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=';
const basic = (name: string, password: string): string =>
  `Authorization: Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

interface Opened {
  readonly htpasswd: Htpasswd;
  readonly file: string;
  readonly hashed: string[];
  readonly unusable: string[];
  readonly advance: (ms: number) => void;
}

async function open(t: TestContext, lines: readonly string[], namesAreEmails = false): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'htpasswd-'));
  const file = join(folder, 'htpasswd');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const pool = createHashPool({ threads: 1 });
  let now = 1_000_000;
  const hashed: string[] = [];
  const unusable: string[] = [];
  const settings = { file, groups: ['staff'], showsForm: true, namesAreEmails };
  const htpasswd = createHtpasswd(settings, {
    clock: { now: () => now },
    pool: {
      verify(hash, password, peer) {
        hashed.push(peer);
        return pool.verify(hash, password, peer);
      },
    },
    onUnreadable: (error) => assert.fail(error.message),
    onUnusable: (names) => unusable.push(...names),
  });
  t.after(async () => {
    htpasswd.close();
    await pool.close();
    rmSync(folder, { recursive: true });
  });
  return { htpasswd, file, hashed, unusable, advance: (ms) => void (now += ms) };
}

const bcryptOf = (password: string): Promise<string> =>
  bcrypt({ password, salt: Buffer.alloc(16, 7), costFactor: 4, outputType: 'encoded' });

test('parseHtpasswd() takes bcrypt and {SHA}, and tells of others', async () => {
  const hash = await bcryptOf('x');
  const { entries, unusable } = parseHtpasswd(
    `# people\nalice:${SHA_OF_SECRET}\r\nbob:${hash}\n\ncarol:$apr1$x$y\ndave:plain\n:${hash}\nnobody\neve:${hash}:comment\n`,
  );
  assert.deepEqual([...entries.keys()], ['alice', 'bob', 'eve']);
  assert.deepEqual(unusable, ['carol', 'dave']);
});

test('Basic credentials of the password file are who comes, in its groups', async (t) => {
  const { htpasswd } = await open(t, [`alice:${SHA_OF_SECRET}`, `bob:${await bcryptOf('builder')}`]);
  const rig = await startServing(t, { htpasswd });
  for (const [name, password, status] of [
    ['alice', 'secret', 202],
    ['bob', 'builder', 202],
    ['alice', 'Secret', 401],
    ['alice', '', 401],
    ['bob', 'secret', 401],
    ['nobody', 'secret', 401],
    ['ALICE', 'secret', 401],
  ] as const)
    assert.equal((await rig.ask('/oauth2/auth', { headers: [basic(name, password)] })).status, status, name + password);
  const answer = await rig.ask('/oauth2/auth?allowed_groups=staff', { headers: [basic('alice', 'secret')] });
  assert.equal(answer.status, 202);
  assert.deepEqual(answer.headers['gap-auth'], ['alice']);
});

test('prefer-email-to-user: the name of Basic credentials is the e-mail address, for fields and rules', async (t) => {
  for (const namesAreEmails of [false, true]) {
    const { htpasswd } = await open(t, [`ann@example.com:${SHA_OF_SECRET}`], namesAreEmails);
    const rig = await startServing(t, { htpasswd });
    const status = async (constraint: string): Promise<number> =>
      (await rig.ask(`/oauth2/auth?${constraint}`, { headers: [basic('ann@example.com', 'secret')] })).status;
    assert.equal(await status('allowed_emails=ann@example.com'), namesAreEmails ? 202 : 403);
    assert.equal(await status('allowed_emails=bob@example.com'), 403);
    assert.equal(htpasswd.sessionOf('ann@example.com').email, namesAreEmails ? 'ann@example.com' : '');
  }
});

test('a right password is hashed once; a wrong one, and an unknown name, each time', async (t) => {
  const { htpasswd, hashed } = await open(t, [`bob:${await bcryptOf('builder')}`]);
  for (let i = 0; i < 5; i++) assert.equal(await htpasswd.verify('bob', 'builder', '192.0.2.1'), 'ok');
  assert.equal(hashed.length, 1);
  assert.equal(await htpasswd.verify('bob', 'wrong', '192.0.2.1'), 'wrong');
  assert.equal(await htpasswd.verify('nobody', 'builder', '192.0.2.1'), 'wrong');
  assert.equal(hashed.length, 3);
  assert.ok(hashed.every((peer) => peer === '192.0.2.1'));
});

test('guesses are held back by account and address, and the right password at another address is not', async (t) => {
  const { htpasswd, hashed, advance } = await open(t, [`alice:${SHA_OF_SECRET}`, `bob:${await bcryptOf('builder')}`]);
  for (let i = 0; i < 5; i++) assert.equal(await htpasswd.verify('bob', `guess ${i}`, '198.51.100.1'), 'wrong');
  assert.equal(await htpasswd.verify('bob', 'builder', '198.51.100.1'), 'busy');
  assert.equal(hashed.length, 5);
  assert.equal(await htpasswd.verify('bob', 'builder', '192.0.2.1'), 'ok');
  advance(20 * 60_000);
  assert.equal(await htpasswd.verify('bob', 'builder', '198.51.100.1'), 'ok');
});

test('a changed file counts at once: for Basic credentials and for sessions of the form', async (t) => {
  const { htpasswd, file } = await open(t, [`alice:${SHA_OF_SECRET}`]);
  const rig = await startServing(t, { htpasswd });
  const cookie = await rig.signIn({ ...htpasswd.sessionOf('alice') });
  assert.equal((await rig.ask('/oauth2/auth', { headers: [cookie] })).status, 202);
  writeFileSync(file, `bob:${SHA_OF_SECRET}\n`);
  for (let i = 0; i < 600 && htpasswd.has('alice'); i++) await setTimeout(50);
  assert.equal((await rig.ask('/oauth2/auth', { headers: [basic('alice', 'secret')] })).status, 401);
  assert.equal((await rig.ask('/oauth2/auth', { headers: [basic('bob', 'secret')] })).status, 202);
  assert.equal((await rig.ask('/oauth2/auth', { headers: [cookie] })).status, 401);
});

test('openHtpasswdFile() reads no file further than 64 MiB, and keeps what it had where one became longer', async (t) => {
  const told: string[] = [];
  const events = { onUnreadable: (error: Error) => told.push(error.message), onUnusable: () => {} };
  assert.throws(() => openHtpasswdFile('/dev/zero', events), {
    code: 'CONFIG_UNREADABLE',
    message: 'Cannot read the password file "/dev/zero": it is longer than 64 MiB',
  });
  const folder = mkdtempSync(join(tmpdir(), 'htpasswd-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'htpasswd');
  writeFileSync(file, `alice:${SHA_OF_SECRET}\n`);
  const held = openHtpasswdFile(file, events);
  t.after(() => held.close());
  truncateSync(file, 5 * 1024 ** 3);
  for (let i = 0; i < 600 && told.length === 0; i++) await setTimeout(50);
  assert.deepEqual(told, [`Cannot read the password file "${file}": it is longer than 64 MiB`]);
  assert.deepEqual([...held.entries().keys()], ['alice']);
});

test('sessionOf() answers the same session for a name, so that what is made of it is made once', async (t) => {
  const { htpasswd } = await open(t, [`alice:${SHA_OF_SECRET}`]);
  assert.equal(htpasswd.sessionOf('alice'), htpasswd.sessionOf('alice'));
  assert.equal(htpasswd.sessionOf('alice').via, 'htpasswd');
});
