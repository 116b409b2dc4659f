/** What each front keeps, with Postern behind it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { connect } from 'node:tls';
import { WebSocket } from 'ws';
import { skipWithout } from '../../support/peers.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';
import { IS_ORIGINAL, startDialect } from './rig.ts';
import type { Dialect, Standing, World } from './rig.ts';

const DEEP = '/a%20b/c%2Fd?x=%26&b=2';
const IDENTITY = ['user', 'email', 'groups', 'preferred-username', 'access-token'];
const JSON_CLIENT = { headers: { accept: 'application/json' } };

export function frontContract(dialect: Dialect, getWorld: () => World): void {
  suite(dialect.name, { skip: skipWithout(...dialect.peers) }, () => {
    let front: Standing;
    let alice: Visitor;
    before(async () => {
      front = await startDialect(getWorld(), dialect);
    });
    after(async () => {
      await front?.close();
    });

    const app = (): World['app'] => getWorld().app;

    test('a deep link comes back exactly, path and query, over sign-in', async () => {
      // The original takes "&b=2" of an address that is not escaped for a parameter of its own.
      const deep = IS_ORIGINAL && dialect.pastesAddress === true ? '/a%20b?x=1' : DEEP;
      alice = createVisitor();
      app().seen.length = 0;
      const back = await signIn(alice, front.url('app', deep), 'alice');
      assert.equal(back.url, front.url('app', deep), front.output());
      assert.equal(back.status, 200, brief(back));
      assert.deepEqual(
        app().seen.map(({ target }) => target),
        [deep],
        'the app sees what was typed, once',
      );
    });

    test('a sign-in that begins at a name with a trailing dot ends at the one without', async (t) => {
      if (IS_ORIGINAL || dialect.leadsFromDot !== true)
        return t.skip('the front has no such name, or does not tell it');
      const dotted = front.url('app', DEEP).replace('.example.com', '.example.com.');
      const back = await signIn(createVisitor(), dotted, 'alice');
      assert.deepEqual([back.status, back.url], [200, front.url('app', DEEP)], brief(back));
    });

    test('the app learns who it is, and nothing that the client claims', async () => {
      app().seen.length = 0;
      const spoofed = IDENTITY.flatMap((name) => aliases(`X-Auth-Request-${name}`));
      // So long that no cookie and no token among the fields spells it by chance.
      const headers = Object.fromEntries(spoofed.map((name) => [name, 'root-of-evil']));
      const page = await alice.send(front.url('app', '/who'), { headers });
      assert.equal(page.status, 200);
      const fields = app().seen[0]?.fields ?? [];
      const named = (name: string): string[] =>
        fields
          .filter(([field]) => field.toLowerCase().replaceAll(/[._]/g, '-') === `x-auth-request-${name}`)
          .map(([, value]) => value);
      assert.deepEqual(named('email'), ['alice@example.com']);
      assert.deepEqual(named('preferred-username'), ['alice']);
      assert.equal(named('user').length, 1);
      assert.equal(named('groups').length, 1);
      assert.match(named('groups')[0] ?? '', /(^|,)\/developers(,|$)/);
      assert.ok(!JSON.stringify(fields).includes('root-of-evil'), JSON.stringify(fields));
    });

    test('a second domain below the cookie domain needs no second sign-in', async () => {
      const wiki = await alice.open(front.url('wiki', '/'));
      assert.deepEqual([wiki.status, wiki.url], [200, front.url('wiki', '/')]);
      assert.match(wiki.body, /wiki\.example\.com/);
    });

    test('a program that wants JSON gets 401 and no page', async () => {
      app().seen.length = 0;
      const answer = await createVisitor().send(front.url('app', '/api'), JSON_CLIENT);
      assert.equal(answer.status, dialect.jsonStatus ?? 401, brief(answer));
      assert.equal(app().seen.length, 0);
    });

    test('a WebSocket opens with the session and not without', async () => {
      app().seen.length = 0;
      assert.notEqual(await shakeHands(front.url('app', '/socket'), null), 'alice: hello');
      assert.equal(app().seen.length, 0, 'nothing reached the app');
      assert.equal(await shakeHands(front.url('app', '/socket'), alice), 'alice: hello');
    });

    test('10 MB go up whole with the session and not at all without', async () => {
      app().seen.length = 0;
      const body = randomBytes(10 * 1024 * 1024);
      const without = await upload(front.url('app', '/upload'), null, body);
      // Behind nginx the original shows its page with 200.
      assert.ok(
        IS_ORIGINAL || without.status === 0 || without.status >= 300,
        `${without.status} ${without.text.slice(0, 300)}`,
      );
      assert.equal(app().seen.length, 0, 'nothing reached the app');
      const { status, text } = await upload(front.url('app', '/upload'), alice, body);
      assert.equal(status, 200, text);
      const sha256 = createHash('sha256').update(body).digest('hex');
      assert.deepEqual(JSON.parse(text), { length: body.length, sha256 });
    });

    test('an event arrives while the stream is open', async () => {
      const stream = await open(front.url('app', '/events'), alice);
      const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      const first = await chunks.next();
      assert.equal(String(first.value), 'data: first\n\n');
      app().endStreams();
      const second = await chunks.next();
      assert.equal(String(second.value), 'data: second\n\n');
    });

    test('somebody of another group gets 403 and stays signed in', async () => {
      app().seen.length = 0;
      const admin = await alice.open(front.url('admin', '/'));
      assert.equal(admin.status, 403, brief(admin));
      if (dialect.refusesByPage === true) {
        if (IS_ORIGINAL) return;
        assert.match(admin.body, /alice@example\.com/);
        assert.match(admin.body, /postern_switch=1/);
        const back = encodeURIComponent(front.url('admin', '/'));
        assert.ok(admin.body.replaceAll('&amp;', '&').includes(`/oauth2/start?rd=${back}&`), brief(admin));
        // Who goes there by themselves gets the page that they ask for.
        const own = await alice.send(`${front.url('admin', '/oauth2/sign_in')}?rd=${back}`);
        assert.equal(own.status, 200);
        assert.doesNotMatch(own.body, /postern_switch=1/);
        assert.match(own.headers['set-cookie']?.join() ?? '', /Max-Age=0/);
        alice = createVisitor();
        await signIn(alice, front.url('app', '/'), 'alice');
        app().seen.length = 0;
      }
      const chosen = await alice.open(front.url('admin', '/?allowed_groups=/developers'));
      assert.equal(chosen.status, 403, 'the visitor does not choose the group');
      assert.equal(app().seen.length, 0);
      assert.equal((await alice.open(front.url('app', '/'))).status, 200);
    });

    test('another spelling of a host is no way around its group', async () => {
      const { port } = front;
      const cookie = alice.cookieHeader(front.url('admin'));
      const requests = [
        `GET / HTTP/1.1\r\nHost: ADMIN.example.com:${port}`,
        `GET / HTTP/1.1\r\nHost: admin.example.com.:${port}`,
        'GET / HTTP/1.1\r\nHost: admin.example.com.',
        'GET / HTTP/1.1\r\nHost: admin.example.com',
        `GET https://admin.example.com:${port}/ HTTP/1.1\r\nHost: app.example.com:${port}`,
        `GET https://app.example.com:${port}/ HTTP/1.1\r\nHost: admin.example.com:${port}`,
        `GET / HTTP/1.1\r\nHost: app.example.com:${port}\r\nHost: admin.example.com:${port}`,
      ];
      // ingress-nginx goes by the request line, and hands the field on.
      const tried = dialect.handsHostOn === true ? requests.filter((head) => !head.startsWith('GET https:')) : requests;
      for (const head of tried) {
        app().seen.length = 0;
        await sendHead(port, `${head}\r\nCookie: ${cookie}`);
        const asAdmin = app().seen.filter(({ fields }) => {
          const hosts = fields.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value);
          return hosts.length !== 1 || /^admin\./i.test(hosts[0] ?? '');
        });
        assert.deepEqual(asAdmin, [], head);
      }
    });

    test('nobody is sent to a stranger after sign-in', { skip: loops(dialect) }, async () => {
      for (const evil of [
        'https://evil.test/',
        '//evil.test',
        String.raw`/\evil.test`,
        'https://example.com.evil.test/',
      ]) {
        const visitor = createVisitor();
        const start = `${front.url(dialect.signOutHost ?? 'app', '/oauth2/start')}?rd=${encodeURIComponent(evil)}`;
        const back = await signIn(visitor, start, 'alice');
        assert.equal(new URL(back.url).hostname.split('.').slice(1).join('.'), 'example.com');
      }
    });

    test('what the client says of itself opens nothing and leads nowhere', { skip: failsOpen(dialect) }, async () => {
      const said = {
        'x-forwarded-uri': '/public/x',
        'x-forwarded-host': 'evil.test',
        'x-forwarded-proto': 'http',
        'x-forwarded-method': 'OPTIONS',
        'x-original-url': 'https://evil.test/public/x',
        'x-auth-request-redirect': 'https://evil.test/',
        'x-real-ip': '127.0.0.1',
      };
      app().seen.length = 0;
      const visitor = createVisitor();
      let page = await visitor.send(front.url('app', '/private'), { headers: { accept: 'text/html', ...said } });
      assert.deepEqual(app().seen, []);
      // Refused, or on the way that any other visitor goes.
      if (page.status >= 500 || page.status === 400) return;
      if (page.headers.location !== undefined) page = await visitor.open(new URL(page.headers.location, page.url).href);
      // Contradictions may cost the way back.
      const back = await passKeycloak(visitor, page, 'alice');
      assert.equal(new URL(back.url).origin, new URL(front.url('app')).origin);
    });

    test('a path that sign-in spares is open, and no way around to another', { skip: IS_ORIGINAL }, async () => {
      app().seen.length = 0;
      const open = await createVisitor().send(front.url('app', '/public/page'));
      assert.equal(open.status, 200, brief(open));
      for (const path of [
        '/public/../admin',
        '/public/%2e%2e/admin',
        '/public/..%2fadmin',
        '/public/%252e%252e/admin',
      ]) {
        app().seen.length = 0;
        await sendRaw(front.port, path);
        assert.deepEqual(
          app().seen.filter(({ target }) => !/^\/public\/(?!\.|%2e)/i.test(target)),
          [],
          path,
        );
      }
    });

    test('signing out ends the session, for the old cookie too', async () => {
      const visitor = createVisitor();
      await signIn(visitor, front.url('app', '/'), 'alice');
      const cookie = visitor.cookieHeader(front.url('app'));
      await visitor.send(front.url(dialect.signOutHost ?? 'app', '/oauth2/sign_out'), {
        headers: { 'sec-fetch-site': 'same-origin' },
      });
      app().seen.length = 0;
      await visitor.send(front.url('app', '/'), JSON_CLIENT);
      assert.equal(app().seen.length, 0, 'signed out');
      if (IS_ORIGINAL) return;
      const replayed = await createVisitor().send(front.url('app', '/'), {
        headers: { ...JSON_CLIENT.headers, cookie },
      });
      assert.equal(replayed.status, dialect.jsonStatus ?? 401);
      assert.equal(app().seen.length, 0, 'the old cookie is dead');
    });

    test('an auth server that is down opens nothing', async () => {
      const visitor = createVisitor();
      await signIn(visitor, front.url('app', '/'), 'alice');
      await front.stopAuth();
      app().seen.length = 0;
      const page = await visitor.send(front.url('app', '/'));
      assert.ok(page.status >= 400, String(page.status));
      await shakeHands(front.url('app', '/socket'), visitor);
      await upload(front.url('app', '/upload'), visitor, Buffer.from('x')).catch(() => undefined);
      assert.equal(app().seen.length, 0);
      await front.startAuth();
      if (!IS_ORIGINAL)
        assert.equal((await visitor.send(front.url('app', '/'))).status, 200, 'sessions outlive a restart');
    });
  });
}

/** A page's text without its style. */
function brief({ status, body }: Visit): string {
  return `${status} ${body.replaceAll(/<(style|script|svg)[\s\S]*?<\/\1>/g, '').replaceAll(/\s*<[^>]*>\s*/g, ' ')}`.slice(
    0,
    600,
  );
}

/** The original goes round in circles where the front names `/oauth2/start` itself for the way back. */
function loops(dialect: Dialect): string | false {
  return IS_ORIGINAL && dialect.originalLoops === true ? 'oauth2-proxy goes round in circles' : false;
}

/** The original takes X-Forwarded-Uri where the front neither writes nor removes it. */
function failsOpen(dialect: Dialect): string | false {
  return IS_ORIGINAL && dialect.originalFailsOpen === true ? 'oauth2-proxy lets it in' : false;
}

/** Through the sign-in page, where there is one, and Keycloak. */
export async function signIn(visitor: Visitor, url: string, name: string): Promise<Visit> {
  return passKeycloak(visitor, await visitor.open(url), name);
}

async function passKeycloak(visitor: Visitor, first: Visit, name: string): Promise<Visit> {
  let page = first;
  if (!page.url.includes('/realms/')) page = await visitor.submit(page, {}, '/oauth2/start');
  assert.match(
    page.url,
    /\/realms\/main\//,
    `"${first.url}" leads to Keycloak: ${page.status} ${page.url} ${brief(page)}`,
  );
  return visitor.submit(page, { username: name, password: `pw-${name}` });
}

function aliases(name: string): string[] {
  return [name, name.replaceAll('-', '_'), name.replaceAll('-', '.'), name.replace('-', '_').toUpperCase()];
}

/** The echo, or what happened instead. */
function shakeHands(url: string, visitor: Visitor | null): Promise<string> {
  const { host, hostname, port, pathname } = new URL(url);
  const headers = visitor === null ? { host } : { host, cookie: visitor.cookieHeader(url) };
  const serverName: object = { servername: hostname };
  const socket = new WebSocket(`wss://127.0.0.1:${port}${pathname}`, {
    headers,
    origin: `https://${host}`,
    rejectUnauthorized: false,
    ...serverName,
  });
  return new Promise((done) => {
    socket.on('open', () => socket.send('hello'));
    socket.on('message', (data: Buffer) => {
      socket.terminate();
      done(data.toString());
    });
    socket.on('error', (error) => done(error.message));
    socket.on('close', () => done('closed'));
  });
}

function optionsFor(url: string, visitor: Visitor | null): object {
  const { hostname, host, port, pathname, search } = new URL(url);
  const cookie = visitor?.cookieHeader(url) ?? '';
  const headers = { host, ...(cookie === '' ? {} : { cookie }) };
  return {
    host: '127.0.0.1',
    port,
    servername: hostname,
    path: pathname + search,
    rejectUnauthorized: false,
    agent: false,
    headers,
  };
}

function upload(url: string, visitor: Visitor | null, body: Buffer): Promise<{ status: number; text: string }> {
  return new Promise((done, fail) => {
    const sent = request({ ...optionsFor(url, visitor), method: 'POST' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('error', fail);
      response.on('end', () => done({ status: response.statusCode ?? 0, text }));
    });
    // A front may answer and close before all is sent.
    sent.on('error', () => done({ status: 0, text: 'reset' }));
    sent.setHeader('content-length', body.length);
    sent.end(body);
  });
}

function open(url: string, visitor: Visitor): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    request(optionsFor(url, visitor), done).on('error', fail).end();
  });
}

/** A request-target that no URL parser has put in order. */
function sendRaw(port: number, target: string): Promise<string> {
  return sendHead(port, `GET ${target} HTTP/1.1\r\nHost: app.example.com:${port}`);
}

async function sendHead(port: number, head: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'app.example.com', rejectUnauthorized: false });
  socket.setEncoding('latin1');
  socket.write(`${head}\r\nConnection: close\r\n\r\n`);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
