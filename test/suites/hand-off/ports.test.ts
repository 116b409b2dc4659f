/**
 * A host name is not a port: somebody else may serve another one of it, on a machine that many share. Whoever asks
 * Postern by hand can name any port, and what is sealed for them must not lead a visitor, or the code of a
 * hand-off, there.
 */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { addUser, signIn, startPostern, type PosternProcess } from '../../support/postern.ts';
import { createVisitor, type Visit } from '../../support/visitor.ts';

const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

suite('a port that is not ours', () => {
  let app: Server;
  let postern: PosternProcess;
  let password = '';

  before(async () => {
    app = createServer((request, response) => response.end(`app of ${String(request.headers['x-forwarded-user'])}`));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    postern = await startPostern({
      document: (ports) => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: off }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  app.localhost: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [signed-in] }
`,
    });
    password = await addUser(postern, 'alice');
  });
  after(async () => {
    await postern?.close();
    app?.close();
  });

  const at = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;
  /** By hand: to our port, with another one in the Host field. */
  const ask = (path: string, port: string): Promise<Visit> =>
    createVisitor().send(at('app', path), { headers: { ...NAVIGATION, host: `app.localhost${port}` } });

  for (const path of ['/deep?x=1', '/.postern/start?to=/deep'])
    test(`neither a code nor a visitor goes there (${path})`, async () => {
      const alice = await signIn(at('app'), 'alice', password);
      for (const port of [':9', ':65535', '']) {
        const begun = await ask(path, port);
        assert.equal(begun.status, 302);
        const ticket = begun.headers.location ?? '';
        assert.ok(ticket.startsWith(at('auth', '/.postern/sign-in?ticket=')), ticket);
        // Alice is led to the link that somebody made of it.
        const landing = await alice.send(ticket, { headers: NAVIGATION });
        assert.equal(landing.status, 303);
        const to = new URL(landing.headers.location ?? '');
        assert.equal(to.host, `app.localhost:${postern.https}`, `with "${port}" in the Host field`);
        // And has not the cookie of the tab that began it: nobody is signed in by that.
        assert.equal((await alice.send(to.href, { headers: NAVIGATION })).status, 303, 'she is in already, and stays');
      }
    });

  test('signing in on such a link ends on our own port', async () => {
    const begun = await ask('/deep?x=1', ':9');
    const visitor = createVisitor();
    const page = await visitor.open(begun.headers.location ?? '');
    const form = { name: 'alice', password };
    const body = new URLSearchParams({ ...fieldsOf(page.body), ...form }).toString();
    const headers = {
      ...NAVIGATION,
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'same-origin',
      origin: new URL(page.url).origin,
    };
    const signedIn = await visitor.send(at('auth', '/.postern/sign-in'), { method: 'POST', headers, body });
    assert.equal(signedIn.status, 303);
    const next = await visitor.send(new URL(signedIn.headers.location ?? '', at('auth')).href, { headers: NAVIGATION });
    assert.equal(new URL(next.headers.location ?? '').host, `app.localhost:${postern.https}`);
  });
});

function fieldsOf(page: string): Record<string, string> {
  const fields = page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g);
  return Object.fromEntries([...fields].map(([, name = '', value = '']) => [name, value]));
}
