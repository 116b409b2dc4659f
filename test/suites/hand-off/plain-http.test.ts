/**
 * Behind a TLS terminator that serves plain HTTP as well: `tls: off` says that the host's TLS ends there, not that
 * people may sign in without it. Whoever comes over plain HTTP could be read on the way, and so could a code that
 * somebody in between asked for in their name.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startPostern, type PosternProcess } from '../../support/postern.ts';
import { createVisitor, type Visit, type Visitor } from '../../support/visitor.ts';

const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

suite('plain HTTP through a TLS terminator', () => {
  let postern: PosternProcess;
  const document = (http: number, more: string): string => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: off }
trusted_proxies: [127.0.0.1/32]
providers: { local: { type: local } }
sign_in: { url: https://auth.localhost }
${more}hosts:
  app.localhost:
    tls: off
    paths: { /*: { to: "app:whoami", allow: [signed-in] }, /open: { respond: open, allow: [public] }, /machine: { respond: in, allow: ["ip:203.0.113.0/24"] } }
`;

  before(async () => {
    postern = await startPostern({ document: ({ http }) => document(http, '') });
  });
  after(async () => {
    await postern?.close();
  });

  /** As the terminator passes it on. */
  const pass = (
    { host = 'app', path = '/deep?x=1', proto }: { host?: string; path?: string; proto: string },
    visitor: Visitor = createVisitor(),
  ): Promise<Visit> => {
    const forwarded = { host: `${host}.localhost`, 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': proto };
    return visitor.send(`http://${host}.localhost:${postern.http}${path}`, {
      headers: { ...NAVIGATION, ...forwarded },
    });
  };

  test('no sign-in begins and no code is taken: the visitor is sent to HTTPS', async () => {
    for (const path of [
      '/deep?x=1',
      '/.postern/start?to=/deep',
      '/.postern/land?code=x&flow=abcdefg',
      '/.postern/userinfo',
    ]) {
      const page = await pass({ path, proto: 'http' });
      assert.deepEqual([page.status, page.headers.location], [308, `https://app.localhost${path}`]);
      assert.equal(page.headers['set-cookie'], undefined);
    }
    const begun = await pass({ proto: 'https' });
    assert.match(begun.headers.location ?? '', /^https:\/\/auth\.localhost\/\.postern\/sign-in\?ticket=/);
    assert.match(String(begun.headers['set-cookie']), /^__Host-postern-.*Secure/);
  });

  test('what needs nobody is served as it was asked for', async () => {
    for (const path of ['/open', '/machine']) assert.equal((await pass({ path, proto: 'http' })).status, 200, path);
  });

  test('a front that does not say how visitors come, or whose word does not count, is named in the log', async () => {
    const from = postern.output().length;
    assert.equal((await pass({ proto: '' })).status, 308);
    await postern.waitFor('Let the proxy in front send X-Forwarded-Proto', from);
  });

  test('session.insecure_http: true permits it', async () => {
    postern.writeConfig(document(postern.http, 'session: { insecure_http: true }\n'));
    assert.equal((await postern.cli('reload')).code, 0);
    const begun = await pass({ proto: 'http' });
    assert.match(begun.headers.location ?? '', /\/\.postern\/sign-in\?ticket=/);
  });
});
