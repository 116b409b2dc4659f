/**
 * Several servers behind one route, through the whole gateway: one dies and comes back, all die, a health
 * check takes one out; a name that points elsewhere is followed; an app that cannot be reached or does not
 * begin to answer gets its 504.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { canMount, withHostsFile } from '../../support/mounts.ts';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';

interface App {
  readonly port: number;
  requests: number;
  isWell: boolean;
  readonly die: () => Promise<void>;
  readonly rise: () => Promise<void>;
}

async function startApp(name: string, host = '127.0.0.1', port = 0): Promise<App> {
  let server: Server | null = null;
  const app = {
    port,
    requests: 0,
    isWell: true,
    async die(): Promise<void> {
      const dying = server;
      server = null;
      dying?.closeAllConnections();
      await new Promise((done) => (dying === null ? done(null) : dying.close(done)));
    },
    async rise(): Promise<void> {
      const made = createServer((req, res) => {
        if (req.url === '/healthz') {
          res.writeHead(app.isWell ? 200 : 500).end();
          return;
        }
        app.requests++;
        if (req.url === '/close') res.setHeader('connection', 'close');
        req.resume();
        req.on('end', () => res.end(name));
      });
      await new Promise<void>((done, fail) => {
        made.once('error', fail);
        made.listen(app.port, host, done);
      });
      app.port = (made.address() as AddressInfo).port;
      server = made;
    },
  };
  await app.rise();
  return app;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One request on a connection of its own to a plain listener. */
async function ask(port: number, host: string, path = '/', body = ''): Promise<Answer> {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  const head = `${body === '' ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nHost: ${host}.test\r\nAccept: application/json\r\n${length}Connection: close\r\n\r\n`;
  const { text, statuses } = await sendRaw(port, head + body, { quietMs: 15_000 });
  return { status: statuses[0] ?? 0, body: text.slice(text.indexOf('\r\n\r\n') + 4) };
}

async function askMany(count: number, one: () => Promise<Answer>): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) statuses.push((await one()).status);
  return statuses;
}

const only = (statuses: readonly number[], wanted: number): void =>
  assert.deepEqual(new Set(statuses), new Set([wanted]));

suite('several servers behind one route', () => {
  let postern: PosternProcess;
  const apps: App[] = [];

  before(async () => {
    // Each comes back on its port, which nobody may have taken meanwhile.
    const ports = await freePorts(3);
    for (const [at, name] of ['one', 'two', 'three'].entries()) apps.push(await startApp(name, '127.0.0.1', ports[at]));
    const to = `["http://127.0.0.1:${apps[0]?.port}", "http://127.0.0.1:${apps[1]?.port}", "http://127.0.0.1:${apps[2]?.port}"]`;
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
workers: 1
hosts:
  passive.test: { tls: off, to: ${to}, allow: [public], max_fails: 1, fail_timeout: 1s }
  active.test: { tls: off, to: ${to}, allow: [public], max_fails: 0, health: { path: /healthz, interval: 1s, timeout: 5s, fails: 1, passes: 1 } }
`,
    });
  });
  after(async () => {
    await postern?.close();
    for (const app of apps) await app.die();
  });

  const forget = (): void => {
    for (const app of apps) app.requests = 0;
  };
  const counts = (): number[] => apps.map((app) => app.requests);

  test('requests go to all of them in turn', async () => {
    only(await askMany(30, () => ask(postern.http, 'passive')), 200);
    assert.deepEqual(counts(), [10, 10, 10]);
  });

  test('one dies: idempotent requests and those of which nothing was sent go to the others', async () => {
    forget();
    await apps[0]?.die();
    only(await askMany(30, () => ask(postern.http, 'passive')), 200);
    only(await askMany(10, () => ask(postern.http, 'passive', '/', 'body')), 200);
    assert.equal(apps[0]?.requests, 0);
    assert.equal((apps[1]?.requests ?? 0) + (apps[2]?.requests ?? 0), 40);
  });

  test('it comes back: it gets its share again', async () => {
    await apps[0]?.rise();
    forget();
    await until(async () => {
      only(await askMany(3, () => ask(postern.http, 'passive')), 200);
      return (apps[0]?.requests ?? 0) > 0;
    }, 'the server that is back gets requests');
  });

  test('a health check takes a server out that answers, and back in', { timeout: 300_000 }, async () => {
    const [first] = apps;
    if (first === undefined) throw new Error('no app');
    // The last look may have been while it was dead: what is down already goes down no more.
    forget();
    await until(async () => {
      only(await askMany(3, () => ask(postern.http, 'active')), 200);
      return first.requests > 0;
    }, 'the health checks have seen it back');
    // Deaths of before have lines of their own.
    let from = postern.output().length;
    first.isWell = false;
    await postern.waitFor(/Server is down/, from);
    forget();
    only(await askMany(20, () => ask(postern.http, 'active')), 200);
    assert.equal(first.requests, 0);
    from = postern.output().length;
    first.isWell = true;
    await postern.waitFor(/Server is up/, from);
    only(await askMany(20, () => ask(postern.http, 'active')), 200);
    assert.ok(first.requests > 0);
  });

  test(
    'all are dead: 502 where requests found out, 503 where the health checks know',
    { timeout: 300_000 },
    async () => {
      for (const app of apps) await app.die();
      assert.equal((await ask(postern.http, 'passive')).status, 502);
      let answer = await ask(postern.http, 'active');
      await until(async () => {
        answer = await ask(postern.http, 'active');
        return answer.status === 503;
      }, 'the health checks have seen all servers down');
      assert.match(answer.body, /"error":"upstream_unhealthy"/);
      for (const app of apps) await app.rise();
      await until(async () => (await ask(postern.http, 'active')).status === 200, 'the route is back');
      only(await askMany(10, () => ask(postern.http, 'active')), 200);
    },
  );
});

suite('an app that is slow to come', () => {
  test(
    'no connection within connect_timeout: 504; no first byte within its timeout: 504',
    { timeout: 300_000 },
    async () => {
      const stuck = await startStuckPort();
      const silent = createServer(() => undefined);
      await new Promise<void>((done) => {
        silent.listen(0, '127.0.0.1', done);
      });
      const postern = await startPostern({
        document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
  stuck.test: { tls: off, to: "http://127.0.0.1:${stuck.port}", allow: [public], connect_timeout: 1s }
  silent.test: { tls: off, to: "http://127.0.0.1:${(silent.address() as AddressInfo).port}", allow: [public], first_byte_timeout: 1s }
`,
      });
      try {
        for (const [host, code] of [
          ['stuck', 'upstream_timeout'],
          ['silent', 'upstream_timeout'],
        ] as const) {
          const begunAt = performance.now();
          const answer = await ask(postern.http, host);
          assert.equal(answer.status, 504, host);
          assert.match(answer.body, new RegExp(`"error":"${code}"`));
          assert.ok(performance.now() - begunAt >= 1_000, `${host} was given up early`);
        }
      } finally {
        await postern.close();
        silent.closeAllConnections();
        silent.close();
        stuck.stop();
      }
    },
  );
});

/** A port whose queue is full and whose program is stopped: the kernel answers no SYN any more. */
async function startStuckPort(): Promise<{ port: number; stop: () => void }> {
  const code = `const s = require('node:net').createServer().listen(0, '127.0.0.1', 1, () => process.send(s.address().port));`;
  const child: ChildProcess = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const port = await new Promise<number>((done) => {
    child.once('message', (message) => done(Number(message)));
  });
  child.kill('SIGSTOP');
  const sockets: Socket[] = [];
  for (let isOpen = true; isOpen && sockets.length < 64;) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    sockets.push(socket);
    isOpen = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true));
      setTimeout(() => done(false), 500);
    });
  }
  return {
    port,
    stop() {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

suite('an app whose name points elsewhere', { skip: canMount('hosts') }, () => {
  test('the next connection goes to the new address, without a failed request', { timeout: 300_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-names-'));
    const hosts = join(dir, 'hosts');
    const point = (address: string): void => writeFileSync(hosts, `127.0.0.1 localhost\n${address} app.internal\n`);
    const [port = 0] = await freePorts(1);
    const old = await startApp('old', '127.0.0.11', port);
    const moved = await startApp('moved', '127.0.0.12', port);
    point('127.0.0.11');
    const postern = await startPostern({
      wrap: withHostsFile(hosts),
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
workers: 1
hosts:
  app.test: { tls: off, to: "http://app.internal:${port}", allow: [public] }
`,
    });
    try {
      assert.equal((await ask(postern.http, 'app')).body, 'old');
      // Both live: new connections follow the name within a few seconds.
      point('127.0.0.12');
      await until(async () => {
        const answer = await ask(postern.http, 'app', '/close');
        assert.equal(answer.status, 200);
        return answer.body === 'moved';
      }, 'the name is asked again');
      // The container is made anew under another address: nobody is at the known one.
      point('127.0.0.11');
      await moved.die();
      const answers = await askMany(5, () => ask(postern.http, 'app'));
      only(answers, 200);
      assert.ok(old.requests > 0);
    } finally {
      await postern.close();
      await old.die();
      await moved.die();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
