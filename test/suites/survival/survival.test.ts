/**
 * What an operator was told is so, is so: also where the process is killed the moment after the answer.
 * The store by itself is killed at random moments in src/store/sqlite.test.ts.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

const dir = mkdtempSync(join(tmpdir(), 'postern-survival-'));
after(() => rmSync(dir, { recursive: true, force: true }));

suite('kill -9 after an answer', () => {
  let ports: { https: number; health: number } | null = null;
  const start = (): Promise<PosternProcess> =>
    startPostern({
      keepDir: dir,
      document: (given) => {
        ports ??= given;
        return `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts: { whoami.localhost: { to: "app:whoami", allow: [signed-in] } }
`;
      },
    });

  test('a disabled user, a revoked session and a lost group stay so; everybody else stays signed in', async () => {
    const first = await start();
    const url = `https://whoami.localhost:${ports?.https}/`;
    const visitors = new Map<string, Awaited<ReturnType<typeof signIn>>>();
    for (const name of ['alice', 'bob', 'carol', 'dave']) {
      const password = await addUser(first, name, ['staff']);
      visitors.set(name, await signIn(url, name, password));
    }
    assert.equal((await first.cli('user', 'groups', 'carol')).code, 0);
    assert.equal((await first.cli('sessions', 'revoke', '--user', 'bob')).code, 0);
    assert.equal((await first.cli('user', 'disable', 'alice')).code, 0);
    await first.close('SIGKILL');

    const second = await start();
    try {
      const list = await second.cli('user', 'list', '--json');
      const users = JSON.parse(list.stdout) as { name: string; enabled: boolean; groups: string[] }[];
      const found = new Map(users.map((user) => [user.name, user]));
      assert.equal(found.get('alice')?.enabled, false);
      assert.deepEqual(found.get('carol')?.groups, []);
      const statuses: Record<string, number> = {};
      for (const [name, visitor] of visitors) statuses[name] = (await visitor.send(url)).status;
      assert.deepEqual(statuses, { alice: 401, bob: 401, carol: 200, dave: 200 });
      const who = await visitors.get('carol')?.send(`${url}.postern/userinfo`);
      assert.deepEqual((JSON.parse(who?.body ?? '{}') as { groups?: string[] }).groups, []);
      // Disabled while signed in: the right password opens nothing either.
      await assert.rejects(signIn(url, 'alice', 'correct horse alice'), /Cannot sign "alice" in: 403/);
    } finally {
      await second.close();
    }
  });
});
