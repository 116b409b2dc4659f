/** The data folder fails while certificates are renewed: what is served stays, nothing that a CA issued is lost, and nothing is ordered twice. */
import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { canMount, openSmallDisk } from '../../support/mounts.ts';
import { skipWithout } from '../../support/peers.ts';
import { openAcmeRig, untilTrusted, visit, type AcmeRig } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const NAME = 'a.example.com';
const HOSTS = `  ${NAME}: { respond: { status: 200, body: hello }, allow: [public] }`;
const PEBBLE = { env: { PEBBLE_VA_NOSLEEP: '1' } };

interface Trouble {
  readonly begin: () => void;
  readonly end: () => void;
  readonly line: RegExp;
}

/** Renews until the trouble is felt; then the site goes on, and with the trouble over everything does. */
async function goThrough(rig: AcmeRig, { begin, end, line }: Trouble): Promise<void> {
  const ca = await rig.pebble.issuerPem();
  await untilTrusted(rig.https, NAME, ca);
  let issued = 1;
  begin();
  let refused = await rig.postern.cli('cert', 'renew', NAME);
  // What the database has in its files already may take a few writes.
  for (; refused.code === 0 && issued < 60; issued += 1) refused = await rig.postern.cli('cert', 'renew', NAME);
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /^FAILED a\.example\.com: Cannot /);
  assert.match(refused.stdout, line);
  const served = await visit(rig.https, NAME, ca);
  assert.match(served.body, /hello$/, String(served.error));
  await rig.postern.waitFor(/Certificate not renewed: [^\n]*The one in use is good for \d+ more days/);
  end();
  const { code, stdout, stderr } = await rig.postern.cli('cert', 'renew', NAME);
  assert.equal(code, 0, stdout + stderr);
  assert.equal(rig.pebble.issued(), issued + 1, 'what the CA issued in the middle is used, and no more');
  const { serial } = await untilTrusted(rig.https, NAME, ca);
  await rig.restart();
  assert.equal((await untilTrusted(rig.https, NAME, ca)).serial, serial);
  assert.equal(rig.pebble.issued(), issued + 1);
}

test('a full disk', { skip: skip === false ? canMount('disk') : skip, timeout: 400_000 }, async (t) => {
  const disk = openSmallDisk('3m');
  t.after(() => disk.close());
  const rig = await openAcmeRig({ hosts: HOSTS, pebble: PEBBLE, dir: disk.dir, workers: 1 });
  const filler = join(disk.dir, 'filler');
  try {
    await goThrough(rig, {
      begin() {
        const file = openSync(filler, 'a');
        for (const size of [65_536, 4_096, 512, 1]) {
          try {
            for (;;) writeSync(file, Buffer.alloc(size));
          } catch (error) {
            assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
          }
        }
        closeSync(file);
      },
      end: () => rmSync(filler),
      line: /disk is full; free some space/,
    });
  } finally {
    await rig.close();
  }
});

test('a database that cannot be written', { skip, timeout: 400_000 }, async () => {
  const rig = await openAcmeRig({ hosts: HOSTS, pebble: PEBBLE });
  // Postern may be in the middle of a write of its own.
  const other = new DatabaseSync(join(rig.postern.dataDir, 'postern.db'), { timeout: 20_000 });
  try {
    await goThrough(rig, {
      begin: () => other.exec('BEGIN IMMEDIATE'),
      end: () => other.exec('ROLLBACK'),
      line: /locked|busy|another/i,
    });
  } finally {
    if (other.isOpen) other.close();
    await rig.close();
  }
});

/** SQLite's own refusal, as where a file system has become read-only under a process that has its files open. */
const READ_ONLY = `import { DatabaseSync } from 'node:sqlite';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
const open = new Set();
const { prepare, exec } = DatabaseSync.prototype;
DatabaseSync.prototype.prepare = function (...all) {
  open.add(this);
  return prepare.apply(this, all);
};
let isReadOnly = false;
setInterval(() => {
  const now = existsSync(join(process.env.DEFECTS, 'read-only'));
  if (now === isReadOnly) return;
  isReadOnly = now;
  for (const db of open) if (db.isOpen) exec.call(db, 'PRAGMA query_only = ' + (now ? 'ON' : 'OFF'));
}, 20).unref();
`;

test('a database that has become read-only', { skip, timeout: 400_000 }, async () => {
  const files = { 'read-only.mjs': READ_ONLY };
  const rig = await openAcmeRig({ hosts: HOSTS, pebble: PEBBLE, files, preload: 'read-only.mjs' });
  const mark = join(rig.postern.dir, 'read-only');
  try {
    await goThrough(rig, {
      begin: () => writeFileSync(mark, ''),
      end: () => rmSync(mark),
      line: /read-only/,
    });
  } finally {
    await rig.close();
  }
});
