/**
 * Where each person has an app at a socket in a folder of their own, one may put a symbolic link to another socket in
 * its place: whatever Postern may open is reached by it. The gateway itself must not take that for its operator.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Visitor } from '../../support/visitor.ts';

suite('a socket of one person that is a link to the control socket', () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-link-'));
  let postern: PosternProcess;
  let alice: Visitor;
  const url = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;

  before(async () => {
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  ide.localhost: { to: "unix:${dir}/{user.name}/code.sock", allow: [signed-in] }
`,
    });
    const password = await addUser(postern, 'alice');
    const folder = join(dir, 'alice');
    mkdirSync(folder, { recursive: true });
    symlinkSync(join(postern.dataDir, 'control.sock'), join(folder, 'code.sock'));
    alice = await signIn(url('auth'), 'alice', password);
    await alice.open(url('ide'));
  });
  after(async () => {
    await postern?.close();
    rmSync(dir, { recursive: true });
  });

  test('answers nothing that an operator may ask, and does nothing', async () => {
    const headers = { origin: url('ide', ''), 'content-type': 'application/json' };
    const body = JSON.stringify({ name: 'mine', description: '', lifetimeMs: 3_600_000 });
    for (const [path, more] of [
      ['/token.create', {}],
      ['/token.create', { connection: 'via', via: '' }],
      ['/status', {}],
    ] as const) {
      const asked = await alice.send(url('ide', path), { method: 'POST', headers: { ...headers, ...more }, body });
      assert.match(asked.body, /came through a proxy/, path);
    }
    const { stdout } = await postern.cli('token', 'list');
    assert.doesNotMatch(stdout, /mine/);
  });
});
