/**
 * A server's owner lists a GitHub user and an organisation: real code-server behind Postern, sign-in by a
 * twin of GitHub Enterprise Server. The listed user and a member enter, a stranger does not, a member who
 * was removed is out after the re-check, and an open WebSocket with them.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { WebSocket } from 'ws';
import { GithubTwin } from '../../../src/sign-in/github/_twin.ts';
import type { TwinAccount } from '../../../src/sign-in/github/_twin.ts';
import { startCodeServer } from '../../support/code-server.ts';
import type { CodeServer } from '../../support/code-server.ts';
import { endsWithinASecond, lastEnd } from '../../support/one-second.ts';
import { skipWithout } from '../../support/peers.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { Stopwatch } from '../../support/stopwatch.ts';
import { createVisitor, nextOf } from '../../support/visitor.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';

/** The least that `recheck` can be. */
const RECHECK_MS = 10_000;
/** Passed on to tls.connect; the types of ws do not know it. */
const SERVER_NAME: object = { servername: 'code.localhost' };

suite('GitHub decides who uses code-server', { skip: skipWithout('code-server') }, () => {
  let code: CodeServer;
  let postern: PosternProcess;
  const twin = new GithubTwin();

  before(async () => {
    await twin.start();
    code = await startCodeServer();
    postern = await startPostern({
      document: (ports) => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers:
  github: { type: github, url: "${twin.url}", client_id: ${twin.clientId}, client_secret: ${twin.clientSecret}, recheck: 10s }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  code.localhost: { to: "http://127.0.0.1:${code.port}", allow: ["user:Alice", "org:acme"], max_body: unlimited }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await code?.stop();
    await twin.stop();
  });

  const address = (): string => `https://code.localhost:${postern.https}/`;

  /** Postern sends the browser to the twin, which is no web site: the person's answer is played. */
  const enter = async (visitor: Visitor): Promise<Visit> => {
    let page = await visitor.send(address(), { headers: { accept: 'text/html' } });
    let next = nextOf(page);
    while (next !== null && !next.startsWith(twin.url)) {
      page = await visitor.send(new URL(next, page.url).href, { headers: { accept: 'text/html' } });
      next = nextOf(page);
    }
    assert.ok(next !== null, `no way to GitHub: ${page.status} ${page.body}`);
    return visitor.open(twin.visit(next));
  };

  test('the listed user enters, by any case of the login', async () => {
    twin.account = { id: 1, login: 'aLICE' };
    const page = await enter(createVisitor());
    assert.equal(page.status, 200);
    assert.match(page.body, /code-server/);
  });

  test('a stranger is refused, and one who took the listed login over as well', async () => {
    twin.account = { id: 2, login: 'mallory' };
    assert.equal((await enter(createVisitor())).status, 403);
    twin.account = { id: 3, login: 'alice' };
    const page = await enter(createVisitor());
    assert.equal(page.status, 403);
    assert.match(page.body, /not let in here/);
    await postern.waitFor(/belongs to id 1, but id 3 has it now/);
    assert.equal((await postern.cli('user', 'unpin', 'github:alice')).code, 0);
  });

  test('whoever is refused before there is a session has a decision in the log', async () => {
    twin.account = { id: 9, login: 'carol', organisations: ['acme'] };
    twin.restricted.add('acme');
    const page = await enter(createVisitor());
    twin.restricted.clear();
    assert.equal(page.status, 403);
    assert.match(page.body, /does not say whether you are in acme/);
    const row = async (line: RegExp): Promise<Record<string, unknown>> => {
      await postern.waitFor(line);
      return JSON.parse(line.exec(postern.output())?.[0] ?? '') as Record<string, unknown>;
    };
    const withheld = await row(/\{.*"who":"github:carol".*\}/);
    assert.deepEqual(pick(withheld), {
      host: 'auth.localhost',
      status: 403,
      route: 'code.localhost /*',
      decision: 'deny',
      rule: '(no rule)',
      reason: 'no-rule',
      wantedHost: 'code.localhost',
      wantedPath: '/',
    });
    const taken = await row(/\{.*"path":"\/\.postern\/callback\/github".*"status":403.*"reason":"not-admitted".*\}/);
    assert.deepEqual([taken['who'], taken['decision'], taken['wantedHost']], ['-', 'deny', 'code.localhost']);
  });

  test('a member of the organisation enters, and is out after the re-check once removed', (t) =>
    endsWithinASecond(t, async () => {
      const bob: TwinAccount = { id: 4, login: 'bob', organisations: ['Acme'] };
      twin.account = bob;
      const visitor = createVisitor();
      assert.equal((await enter(visitor)).status, 200);
      const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/?reconnectionToken=x&skipWebSocketFrames=false`, {
        headers: { cookie: visitor.cookieHeader(address()), host: `code.localhost:${postern.https}` },
        origin: address().slice(0, -1),
        rejectUnauthorized: false,
        ...SERVER_NAME,
      });
      socket.on('error', () => undefined);
      const closed = new Promise<number>((done) => void socket.on('close', () => done(Date.now())));
      await new Promise<void>((done, fail) => {
        socket.once('open', () => done());
        socket.once('close', () => fail(new Error('The WebSocket did not open')));
      });
      bob.organisations = [];
      const watch = new Stopwatch();
      await until(async () => (await visitor.open(address())).status === 403, 'bob is out', 3 * RECHECK_MS);
      // A worker knows it now, and says so.
      const acknowledgedAt = Date.now();
      assert.ok(watch.stop() < 2 * RECHECK_MS + 5_000);
      return { acknowledgedAt, endedAt: await lastEnd([closed], "bob's WebSocket") };
    }));
});

function pick(row: Record<string, unknown>): Record<string, unknown> {
  const names = ['host', 'status', 'route', 'decision', 'rule', 'reason', 'wantedHost', 'wantedPath'];
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}
