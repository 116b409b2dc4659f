/**
 * One address, an app for each: two real code-servers by socket, alice and bob each in their own, carol with
 * a page that explains; apps by group; a person who changes groups is let go of the old app within a second.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { runOperation } from '../../../src/cli/operation.ts';
import { findPeer, skipWithout } from '../../support/peers.ts';
import { endsWithinASecond, lastEnd } from '../../support/one-second.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { endProgram, until } from '../../support/programs.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Visitor } from '../../support/visitor.ts';

const skip = skipWithout('code-server');
const PEOPLE = ['alice', 'bob'];

suite('two code-servers on one address', { skip }, () => {
  let dir = '';
  let postern: PosternProcess;
  const apps: ChildProcess[] = [];
  const visitors = new Map<string, Visitor>();
  const url = (path: string): string => `https://ide.localhost:${postern.https}${path}`;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-ide-'));
    for (const name of PEOPLE) {
      const home = join(dir, name);
      mkdirSync(join(home, 'project'), { recursive: true });
      writeFileSync(join(home, 'project', 'who.txt'), `${name} was here\n`);
      const socket = ['--auth', 'none', '--socket', join(dir, `${name}.sock`), '--user-data-dir', join(home, 'user')];
      const quiet = ['--disable-telemetry', '--disable-update-check', '--extensions-dir', join(home, 'extensions')];
      const env = { ...process.env, HOME: home };
      apps.push(spawn(findPeer('code-server') ?? '', [...socket, ...quiet], { stdio: 'ignore', env }));
    }
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  ide.localhost: { to: "unix:${dir}/{user.name}.sock", allow: [signed-in], identity_headers: remote }
`,
    });
    for (const name of [...PEOPLE, 'carol', 'd.e']) {
      const password = await addUser(postern, name);
      const visitor = await signIn(`https://auth.localhost:${postern.https}/`, name, password);
      visitors.set(name, visitor);
    }
    await until(() => PEOPLE.every((name) => existsSync(join(dir, `${name}.sock`))), 'both listen', 60_000);
  });
  after(async () => {
    await postern?.close();
    await Promise.all(apps.map((app) => endProgram(app)));
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 });
  });

  test('alice and bob each get their own, at the same time', async () => {
    for (const name of PEOPLE) {
      const visitor = visitors.get(name) as Visitor;
      await until(
        async () => (await visitor.open(url('/healthz'))).status === 200,
        `the code-server of ${name} answers`,
      );
      const page = await visitor.open(url('/'));
      assert.equal(page.status, 200);
      assert.match(page.body, /code-server/);
    }
    const files = await Promise.all(
      PEOPLE.flatMap((name) =>
        PEOPLE.map(async (owner) => {
          const visitor = visitors.get(name) as Visitor;
          const page = await visitor.open(url('/'));
          return page.body.includes(`${dir}/${owner}/`);
        }),
      ),
    );
    assert.deepEqual(files, [true, false, false, true], "each page names its own user's folders only");
  });

  test('carol, and whoever has a name that no address may hold, get a page that explains', async () => {
    for (const [name, status] of [
      ['carol', 503],
      ['d.e', 403],
    ] as const) {
      const visitor = visitors.get(name) as Visitor;
      const page = await visitor.open(url('/'));
      assert.equal(page.status, status, name);
      assert.match(page.body, /No app of yours here/);
      assert.ok(page.body.includes(name) && page.body.includes('switch=1'), 'names the account and offers another');
      assert.doesNotMatch(page.body, /\.sock|ENOENT/);
      const asked = { headers: { accept: 'application/json' } };
      const json = JSON.parse((await visitor.send(url('/'), asked)).body) as { error: string };
      assert.equal(json.error, 'no_app');
    }
    await postern.waitFor('UPSTREAM_UNREACHABLE');
  });

  test('nothing that a visitor sends moves the pattern', async () => {
    const visitor = visitors.get('bob') as Visitor;
    const spoofs = { 'remote-user': 'alice', 'x-forwarded-user': 'alice', host: `ide.localhost:${postern.https}` };
    for (const path of ['/?user.name=alice', '/%2e%2e/alice', '/alice', '/..;/alice']) {
      const page = await visitor.send(url(path), { headers: spoofs });
      assert.ok(!page.body.includes(`${dir}/alice/`), path);
    }
  });
});

suite('apps by group on one address', () => {
  const servers: Server[] = [];
  let postern: PosternProcess;
  let visitor: Visitor;
  const url = (host: string, path = '/'): string => `https://${host}.localhost:${postern.https}${path}`;

  before(async () => {
    const ports: number[] = [];
    for (const name of ['research', 'teaching', 'mapped']) {
      const server = createServer((_req, res) => res.end(`the app of ${name}`));
      new WebSocketServer({ server }).on('connection', (socket) => socket.send(name));
      await new Promise<void>((done) => {
        server.listen(0, '127.0.0.1', done);
      });
      servers.push(server);
      ports.push((server.address() as AddressInfo).port);
    }
    const [research = 0, teaching = 0, mapped = 0] = ports;
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
maps: { port: { "group:research": ${research}, "group:teaching": ${teaching}, "token:ci": ${mapped} } }
hosts:
  lab.localhost:
    allow: [signed-in]
    routes:
      - { when: ["group:research"], to: "http://127.0.0.1:${research}" }
      - { when: ["group:teaching"], to: "http://127.0.0.1:${teaching}" }
      - { when: "group:guests", respond: { status: 200, body: "read the board" } }
  map.localhost: { to: "http://127.0.0.1:{map.port}", allow: [signed-in, "token:ci"] }
  all.localhost:
    allow: [signed-in, "token:ci"]
    routes:
      - { when: { when: 'token == "ci"' }, to: "http://127.0.0.1:${mapped}" }
      - { redirect: "https://lab.localhost:${https}{path}" }
`,
    });
    const password = await addUser(postern, 'ada', ['research']);
    visitor = await signIn(url('lab'), 'ada', password);
    await visitor.open(url('map'));
  });
  after(async () => {
    await postern?.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  const groups = (...names: readonly string[]): Promise<unknown> =>
    runOperation(postern.dataDir, 'user.groups', { name: 'ada', groups: names });

  test('the first choice that matches, by group; else a page', async () => {
    for (const [names, body] of [
      [['research'], 'the app of research'],
      [['teaching'], 'the app of teaching'],
      [['teaching', 'research'], 'the app of research'],
      [['guests'], 'read the board'],
    ] as const) {
      await groups(...names);
      assert.equal((await visitor.send(url('lab'))).body, body);
    }
    await groups('others');
    const none = await visitor.open(url('lab'));
    assert.deepEqual([none.status, /No app of yours here/.test(none.body)], [403, true]);
    assert.equal((await visitor.open(url('map'))).status, 403);
    const { stdout: token } = await postern.cli('token', 'create', '--for', 'ci');
    const asked = { headers: { authorization: `Bearer ${token.trim()}` } };
    assert.equal((await visitor.send(url('map'), asked)).body, 'the app of mapped');
    assert.equal((await visitor.send(url('all'), asked)).body, 'the app of mapped');
    await visitor.open(url('all'));
    assert.equal((await visitor.send(url('all', '/x'))).headers.location, url('lab', '/x'));
  });

  for (const host of ['lab', 'map']) {
    test(`who changes groups is let go of the old app within a second (${host})`, (t) =>
      endsWithinASecond(t, async () => {
        await groups('research');
        const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, {
          headers: { cookie: visitor.cookieHeader(url(host)), host: `${host}.localhost:${postern.https}` },
          origin: url(host).slice(0, -1),
          rejectUnauthorized: false,
          ...({ servername: `${host}.localhost` } as object),
        });
        const hello = await new Promise((done, fail) => {
          socket.on('message', (data) => done(Buffer.isBuffer(data) ? data.toString() : ''));
          socket.on('error', fail);
        });
        assert.equal(hello, 'research');
        const closed = new Promise<number>((done) => void socket.on('close', () => done(Date.now())));
        await sleep(400);
        await groups('research', 'others');
        await sleep(300);
        assert.equal(socket.readyState, WebSocket.OPEN, 'the same app: it goes on');
        await groups('teaching');
        const acknowledgedAt = Date.now();
        return { acknowledgedAt, endedAt: await lastEnd([closed], 'the WebSocket to the old app') };
      }));
  }
});
