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

suite('a link to the control socket in place of an app', () => {
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
  one.localhost: { to: "unix:${dir}/one.sock", allow: [signed-in] }
`,
    });
    const password = await addUser(postern, 'alice');
    const folder = join(dir, 'alice');
    mkdirSync(folder, { recursive: true });
    for (const link of [join(folder, 'code.sock'), join(dir, 'one.sock')])
      symlinkSync(join(postern.dataDir, 'control.sock'), link);
    alice = await signIn(url('auth'), 'alice', password);
    for (const host of ['ide', 'one']) await alice.open(url(host));
  });
  after(async () => {
    await postern?.close();
    rmSync(dir, { recursive: true });
  });

  test('is not opened where it lies in a folder of theirs, and answers nothing where the document leads there', async () => {
    for (const [host, path, more] of [
      ['ide', '/token.create', {}],
      ['one', '/token.create', {}],
      ['one', '/token.create', { connection: 'via', via: '' }],
      ['one', '/status', {}],
    ] as const) {
      const asked = await alice.send(url(host, path), {
        method: 'POST',
        headers: { origin: url(host, ''), 'content-type': 'application/json', ...more },
        body: JSON.stringify({ name: 'mine', description: '', lifetimeMs: 3_600_000 }),
      });
      assert.match(asked.body, host === 'one' ? /came through a proxy/ : /^503 No app of yours/, `${host} ${path}`);
    }
    assert.match(postern.output(), /a link leads from there to \S+control\.sock/);
    const { stdout } = await postern.cli('token', 'list');
    assert.doesNotMatch(stdout, /mine/);
  });
});
