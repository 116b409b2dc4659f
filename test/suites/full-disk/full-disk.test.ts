/**
 * The data folder's disk is full: whoever is signed in stays, whoever wants in is told so by a page, the
 * operator gets one clear line, nothing is damaged; with space again everything works.
 */
import assert from 'node:assert/strict';
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { canMount, openSmallDisk } from '../../support/mounts.ts';
import type { SmallDisk } from '../../support/mounts.ts';
import { addUser, runPostern, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';

/** Of one length. */
const [LONG, SHORT] = ['12h', '1s '];

suite('a full disk', { skip: canMount('disk') }, () => {
  let disk: SmallDisk;
  let postern: PosternProcess;
  let alice: Visitor;
  let password = '';
  const url = (): string => `https://whoami.localhost:${postern.https}/`;
  const filler = (): string => join(disk.dir, 'filler');

  before(async () => {
    disk = openSmallDisk('3m');
    postern = await startPostern({
      keepDir: disk.dir,
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: 1
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
session: { lifetime: ${LONG} }
hosts:
  whoami.localhost: { to: "app:whoami", allow: [signed-in] }
`,
    });
    password = await addUser(postern, 'alice');
    alice = await signIn(url(), 'alice', password);
  });
  after(async () => {
    await postern?.close();
    disk?.close();
  });

  const fill = (): void => {
    const file = openSync(filler(), 'a');
    for (const size of [65_536, 4_096, 512, 1]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      }
    }
    fsyncSync(file);
    closeSync(file);
  };

  const trySignIn = async (visitor: Visitor): Promise<Visit> => {
    const page = await visitor.open(url());
    return visitor.submit(page, { name: 'alice', password }, 'sign-in');
  };

  test('who is signed in stays; who wants in gets a page that says so', { timeout: 300_000 }, async () => {
    fill();
    // What the database has in its files already may still take a few writes.
    const newcomer = createVisitor();
    let refused = await trySignIn(newcomer);
    for (let round = 0; round < 400 && refused.status === 200; round++) refused = await trySignIn(createVisitor());
    assert.equal(refused.status, 503, refused.body);
    assert.match(refused.body, /Sign-in is not available right now/);
    assert.match(refused.body, /Nobody has been signed out/);
    assert.equal((await alice.send(url())).status, 200);
    await postern.waitFor(/"code":"STORE_UNAVAILABLE"[^\n]*disk is full/);
    assert.equal((await fetch(`http://127.0.0.1:${postern.health}/healthz`)).status, 200);
  });

  test('the operator gets one line with the reason, and nothing is half done', { timeout: 300_000 }, async () => {
    const before = (await postern.cli('user', 'list')).stdout;
    const added = await postern.cli('user', 'add', 'bob', '--print-link');
    assert.equal(added.code, 1, added.stdout);
    assert.match(added.stderr, /^postern: Cannot [^\n]*disk is full; free some space \[STORE_UNAVAILABLE\]\n$/);
    assert.equal((await postern.cli('user', 'list')).stdout, before);
    const revoked = await postern.cli('sessions', 'revoke', '--user', 'alice');
    assert.equal(revoked.code, 1, 'a revocation that is not durable is not acknowledged');
    assert.match(revoked.stderr, /disk is full/);
    assert.equal((await alice.send(url())).status, 200);
  });

  test(
    'a document that ends sessions is taken, and the log says that they could not be deleted',
    { timeout: 300_000 },
    async () => {
      const setLifetime = async (text: string): Promise<void> => {
        // In its place: there is no room for another file.
        const at = readFileSync(postern.configFile).indexOf('lifetime: ') + 'lifetime: '.length;
        const file = openSync(postern.configFile, 'r+');
        writeSync(file, text, at);
        closeSync(file);
        const reloaded = await postern.cli('reload');
        assert.equal(reloaded.code, 0, reloaded.stderr);
      };
      await setLifetime(SHORT);
      await postern.waitFor(/"code":"STORE_UNAVAILABLE"[^\n]*Cannot sweep expired sessions/);
      await setLifetime(LONG);
    },
  );

  test('with space again, everybody gets in', { timeout: 300_000 }, async () => {
    rmSync(filler());
    const page = await trySignIn(createVisitor());
    assert.equal(page.status, 200, page.body);
    assert.equal(page.url, url());
    assert.equal((await postern.cli('user', 'add', 'bob', '--print-link')).code, 0);
    assert.equal((await postern.cli('sessions', 'revoke', '--user', 'alice')).code, 0);
    assert.equal((await alice.send(url())).status, 401);
  });

  test(
    'a start on a full disk is refused in one line, and leaves the data as it is',
    { timeout: 300_000 },
    async () => {
      const fresh = join(disk.dir, 'another');
      fill();
      const started = await runPostern(['run', '--config', postern.configFile, '--data', fresh]);
      assert.equal(started.code, 1);
      assert.match(started.stderr, /^postern: Cannot [^\n]*(disk is full|no space left)[^\n]*\n$/i);
      rmSync(filler());
      assert.ok(statSync(join(postern.dataDir, 'postern.db')).size > 0);
    },
  );
});
