/**
 * `https://app.example.org./`: one host for routing, rules and certificates, two for a browser's cookies and
 * origins. A sign-in that begins there comes about all the same, and the dot evades nothing.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { suite, test, before, after } from 'node:test';
import { addUser, startPostern } from '../../support/postern.ts';
import { startGreetingApp } from '../../support/greeting-app.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { GreetingApp } from '../../support/greeting-app.ts';

const DEEP = '/a%20b?q=1&q=2&u=https%3A%2F%2Fe.example%2F&dot=1';

for (const cookieDomain of [null, 'site.localhost']) {
  suite(`a host with a trailing dot, ${cookieDomain === null ? 'each host with its own cookie' : 'one cookie'}`, () => {
    let app: GreetingApp;
    let postern: PosternProcess;
    let password = '';
    const urlOf = (host: string, path = '/'): string => `https://${host}:${postern.https}${path}`;

    before(async () => {
      app = await startGreetingApp();
      postern = await startPostern({
        document: (ports) => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: off }
providers: { local: { type: local } }
sign_in: { url: "https://auth.site.localhost:${ports.https}" }
session: { lifetime: 12h${cookieDomain === null ? '' : `, cookie_domain: .${cookieDomain}`} }
hosts:
  app.site.localhost: { to: "http://127.0.0.1:${app.port}", allow: [signed-in] }
  closed.site.localhost: { to: "http://127.0.0.1:${app.port}", allow: [signed-in], deny: ["user:alice"] }
`,
      });
      password = await addUser(postern, 'alice');
    });
    after(async () => {
      await postern?.close();
      app?.close();
    });

    test('a sign-in that begins there ends on the page that was wanted, under the name without the dot', async () => {
      const visitor = createVisitor();
      const form = await visitor.open(urlOf('app.site.localhost.', DEEP));
      const page = await visitor.submit(form, { name: 'alice', password }, 'sign-in');
      assert.deepEqual([page.status, page.body, page.url], [200, 'app for alice', urlOf('app.site.localhost', DEEP)]);
      const dotted = visitor.cookies.filter(({ domain }) => domain.endsWith('.'));
      assert.deepEqual(dotted, [], 'nothing is kept for a name that is not used');
      const again = await visitor.open(urlOf('app.site.localhost.', DEEP));
      assert.deepEqual([again.status, again.url], [200, urlOf('app.site.localhost', DEEP)]);
    });

    test('the sign-in page itself works there, too', async () => {
      const visitor = createVisitor();
      const form = await visitor.open(urlOf('auth.site.localhost.'));
      assert.equal(new URL(form.url).host, `auth.site.localhost:${postern.https}`);
      const page = await visitor.submit(form, { name: 'alice', password }, 'sign-in');
      assert.equal(page.status, 200, page.body);
    });

    test('whatever writes the dot in front leads nobody in a circle', async () => {
      const headers = { host: `app.site.localhost.:${postern.https}`, accept: 'text/html' };
      const first = await createVisitor().send(urlOf('app.site.localhost', DEEP), { headers });
      const led = first.headers.location ?? '';
      assert.deepEqual([first.status, new URL(led).host], [302, `app.site.localhost:${postern.https}`]);
      const second = await createVisitor().send(led, { headers });
      assert.match(second.headers.location ?? '', /^https:\/\/auth\.site\.localhost:\d+\/\.postern\/sign-in\?ticket=/);
    });

    test('rules, HSTS and what programs are told are those of the name', async () => {
      const visitor = createVisitor();
      const form = await visitor.open(urlOf('closed.site.localhost.'));
      const denied = await visitor.submit(form, { name: 'alice', password }, 'sign-in');
      assert.equal(denied.status, 403);
      // As if the session were another browser's: cookies of the name, sent with the dot.
      const cookie = visitor.cookieHeader(urlOf('closed.site.localhost'));
      const evading = await createVisitor().send(urlOf('closed.site.localhost.'), { headers: { cookie } });
      assert.notEqual(evading.status, 200);
      assert.doesNotMatch(evading.body, /^app for/);
      const plain = await createVisitor().send(urlOf('closed.site.localhost'));
      const header = 'strict-transport-security';
      assert.equal(evading.headers[header], plain.headers[header]);
      const script = await createVisitor().send(urlOf('app.site.localhost.'), {
        headers: { accept: 'application/json' },
      });
      assert.equal(script.status, 401);
      assert.match(script.body, /"https:\/\/app\.site\.localhost:\d+\/\.postern\/start"/);
    });

    test('the same over HTTP/2', async () => {
      const session = connect(urlOf('app.site.localhost'), {
        rejectUnauthorized: false,
        servername: 'app.site.localhost',
        lookup: (_, options, done) =>
          options.all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
      });
      try {
        const ask = (authority: string): Promise<[unknown, string]> =>
          new Promise((resolve, reject) => {
            const stream = session.request({ ':authority': authority, ':path': DEEP, accept: 'text/html' });
            stream.on('response', (headers) => resolve([headers[':status'], String(headers['location'])]));
            stream.on('error', reject);
            stream.resume();
          });
        const [status, location] = await ask(`app.site.localhost.:${postern.https}`);
        const to = new URL(location);
        assert.deepEqual(
          [status, to.host, to.pathname, to.searchParams.get('to')],
          [302, `app.site.localhost:${postern.https}`, '/.postern/start', DEEP],
        );
        const [, plain] = await ask(`app.site.localhost:${postern.https}`);
        assert.equal(new URL(plain).hostname, 'auth.site.localhost');
      } finally {
        session.close();
      }
    });
  });
}
