/**
 * Starting, and what a person meets who has something wrong: one clear line with the place and the remedy,
 * an exit code, nothing overwritten. And what must survive: users, sessions, the running document.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, suite, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, runPostern, signIn, startPostern } from '../../support/postern.ts';
import { killLate, until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import { makeCertificate } from '../../transport-rig.ts';

const PROGRAM = resolve(import.meta.dirname, '../../../bin/postern');
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'postern-start-'));
  folders.push(made);
  return made;
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Starts with a document and waits for the end. */
function startWith(dir: string, document: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const file = join(dir, 'postern.yaml');
  writeFileSync(file, document);
  return new Promise((done) => {
    const child = spawn(PROGRAM, ['run', '--config', file, '--data', join(dir, 'data')], {
      env: { ...process.env, ...env },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const spare = killLate(child);
    child.on('close', (code) => {
      spare();
      done({ code, output });
    });
  });
}

const plain = (http: number, rest: string): string => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off }
${rest}`;
const HOST = 'hosts: { app.test: { tls: off, to: "http://127.0.0.1:9", allow: [public] } }\n';

suite('a start that cannot be', () => {
  test('a port in use is named, with a remedy', async () => {
    const holder = createServer();
    await new Promise<void>((done) => {
      holder.listen(0, '127.0.0.1', done);
    });
    const { port } = holder.address() as AddressInfo;
    const { code, output } = await startWith(folder(), plain(port, HOST));
    holder.close();
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`Cannot listen on "127\\.0\\.0\\.1:${port}": another program has it`));
  });

  test('a key of another certificate is told from its certificate', async () => {
    const dir = folder();
    const [one, two] = [
      makeCertificate('/CN=app.test', 'DNS:app.test'),
      makeCertificate('/CN=app.test', 'DNS:app.test'),
    ];
    writeFileSync(join(dir, 'cert.pem'), one.cert);
    writeFileSync(join(dir, 'key.pem'), two.key);
    const [https = 0] = await freePorts(1);
    const document = `version: 1\nlisten: { http: off, https: "127.0.0.1:${https}" }\nhosts:\n  app.test: { to: "http://127.0.0.1:9", allow: [public], tls: { certificate: cert.pem, key: key.pem } }\n`;
    const { code, output } = await startWith(dir, document);
    assert.equal(code, 1, output);
    assert.match(output, /postern\.yaml:4:\d+ +TLS_BAD_CERTIFICATE/);
    assert.match(output, /key/i);
  });

  test('an unknown key gets its place and "did you mean"; all problems come at once', async () => {
    const [http = 0] = await freePorts(1);
    const { code, output } = await startWith(
      folder(),
      plain(
        http,
        'hosts:\n  app.test: { tls: off, too: "http://127.0.0.1:9", allow: [public] }\n  other.test: { tls: off, to: "http://127.0.0.1:9", allow: [publik] }\n',
      ),
    );
    assert.equal(code, 1, output);
    assert.match(output, /postern\.yaml:4:\d+ +CONFIG_INVALID .*too is not a known key/);
    assert.match(output, /did you mean "to"\?/);
    assert.match(output, /postern\.yaml:5:\d+ .*publik/);
  });

  test('a variable that is not set is named, with its place', async () => {
    const [http = 0] = await freePorts(1);
    const { code, output } = await startWith(
      folder(),
      plain(http, 'hosts: { app.test: { tls: off, to: "http://127.0.0.1:9", allow: ["ip:${NO_SUCH_VARIABLE}"] } }\n'),
    );
    assert.equal(code, 1, output);
    assert.match(output, /postern\.yaml:3:\d+ .*NO_SUCH_VARIABLE/);
  });

  test('a route without a rule is an error, never open', async () => {
    const [http = 0] = await freePorts(1);
    const { code, output } = await startWith(
      folder(),
      plain(http, 'hosts: { app.test: { tls: off, to: "http://127.0.0.1:9" } }\n'),
    );
    assert.equal(code, 1, output);
    assert.match(output, /allow/);
  });

  test('a data folder of a newer version is left as it is', async (t) => {
    const dir = folder();
    const [http = 0, again = 0] = await freePorts(2);
    const first = await startPostern({
      keepDir: dir,
      document: ({ health }) => plain(http, HOST).replace('https: off', `https: off, health: "127.0.0.1:${health}"`),
    });
    t.after(() => first.close());
    await first.close();
    const db = new DatabaseSync(join(dir, 'data', 'postern.db'));
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    db.exec(`PRAGMA user_version = ${version + 1}`);
    db.close();
    const before = readFileSync(join(dir, 'data', 'postern.db'));
    const { code, output } = await startWith(dir, plain(again, HOST));
    assert.equal(code, 1, output);
    assert.match(output, /newer version/);
    assert.deepEqual(readFileSync(join(dir, 'data', 'postern.db')), before);
  });

  test('a data folder in use is named, with the pid', async (t) => {
    const postern = await startPostern({
      document: ({ http, health }) =>
        plain(http, HOST).replace('https: off', `https: off, health: "127.0.0.1:${health}"`),
    });
    t.after(() => postern.close());
    const [http = 0] = await freePorts(1);
    const { code, output } = await startWith(postern.dir, plain(http, HOST));
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`another Postern \\(pid ${postern.child.pid}\\)`));
    await postern.close();
  });

  test('an unreadable document is one line', async () => {
    const done = await runPostern(['run', '--config', '/no/such/postern.yaml', '--data', join(folder(), 'data')]);
    assert.equal(done.code, 1);
    assert.match(done.stderr, /^postern: Cannot read document "\/no\/such\/postern\.yaml": there is no such file/);
  });
});

suite('what survives', () => {
  const document = ({ https, health }: { https: number; health: number }, rest = ''): string => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  whoami.localhost: { to: "app:whoami", allow: ["user:alice"] }
${rest}`;

  test('a session outlives SIGKILL and a second start; SIGTERM ends with 0', { timeout: 300_000 }, async (t) => {
    const dir = folder();
    let ports = { https: 0, health: 0 };
    const first = await startPostern({
      keepDir: dir,
      document: (given) => {
        ports = given;
        return document(given);
      },
    });
    t.after(() => first.close());
    const password = await addUser(first, 'alice');
    const url = `https://whoami.localhost:${ports.https}/`;
    const visitor = await signIn(url, 'alice', password);
    await first.close('SIGKILL');
    const second = await startPostern({ keepDir: dir, document: () => document(ports) });
    t.after(() => second.close());
    const page = await visitor.send(url);
    assert.equal(page.status, 200);
    assert.equal(await second.close(), 0);
  });

  test(
    'a document that fails its own tests is not taken over, and the running one stays',
    { timeout: 300_000 },
    async (t) => {
      let ports = { https: 0, health: 0 };
      const postern = await startPostern({
        document: (given) => {
          ports = given;
          return document(given);
        },
      });
      t.after(() => postern.close());
      const tests = `tests:\n  - { as: bob, get: "https://whoami.localhost:${ports.https}/", expect: allow }\n`;
      postern.writeConfig(document(ports, tests));
      const refused = await postern.cli('reload');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /bob/);
      const checked = await runPostern(['check', '--config', postern.configFile]);
      assert.equal(checked.code, 1);
      postern.writeConfig(document(ports, tests.replace('allow', 'deny')));
      assert.equal((await postern.cli('reload')).code, 0);
      const explained = await runPostern([
        'explain',
        `https://whoami.localhost:${ports.https}/`,
        '--as',
        'bob',
        '--data',
        postern.dataDir,
      ]);
      assert.match(explained.stdout, /Denied/);
      assert.match(explained.stdout, /user:alice/);
      await postern.close();
    },
  );
});

const HEALTH_PAGES = ['/healthz', '/readyz', '/metrics', '/ping', '/ready', '/debug/pprof/', '/debug/vars'];
const PROBES = ['kube-probe/1.34', 'GoogleHC/1.0', 'ELB-HealthChecker/2.0', 'Prometheus/3.8.0', 'Consul Health Check'];

/** Class N of the advisories: neither a path nor a User-Agent opens anything where visitors come (CVE-2026-34457). */
async function isNowhereInPublic(port: number): Promise<void> {
  const visitor = createVisitor();
  for (const path of [...HEALTH_PAGES, ...HEALTH_PAGES.map((one) => `/.postern${one}`)])
    for (const [at, host] of ['whoami.localhost', 'auth.localhost'].entries()) {
      const agent = PROBES[(path.length + at) % PROBES.length] ?? '';
      const page = await visitor.send(`https://${host}:${port}${path}`, { headers: { 'user-agent': agent } });
      assert.ok([401, 404].includes(page.status), `${page.status} for ${agent} at ${host}${path}`);
      assert.doesNotMatch(page.body, /postern_|^ok$|ready/m, `${host}${path}`);
    }
}

suite('operation', () => {
  test(
    'health, metrics, users and sessions by the command line, none of them in public, running and stopped',
    { timeout: 300_000 },
    async (t) => {
      const dir = folder();
      const postern = await startPostern({
        keepDir: dir,
        document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
services: { ci: { password: "$2a$05$WnISqYUMNkFN6z8o2QglZOaCDtbsdunXCFe/8yDlm85RmjNkM8cvC" } }
hosts:
  whoami.localhost: { to: "app:whoami", allow: [signed-in, "service:ci"] }
`,
      });
      t.after(() => postern.close());
      const password = await addUser(postern, 'alice');
      await signIn(`https://whoami.localhost:${postern.https}/`, 'alice', password);
      const health = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${postern.health}${path}`);
      assert.equal((await health('/healthz')).status, 200);
      assert.equal((await health('/readyz')).status, 200);
      assert.match(await (await health('/metrics')).text(), /postern_build_info/);
      const rebound = await createVisitor().send(`http://127.0.0.1:${postern.health}/metrics`, {
        headers: { host: 'evil.example' },
      });
      assert.equal(rebound.status, 403);
      await isNowhereInPublic(postern.https);

      const listed = await postern.cli('sessions', 'list');
      assert.match(listed.stdout, /local:alice/);
      const shown = await runPostern(['config', 'show', '--effective', '--config', postern.configFile]);
      assert.equal(shown.code, 0, shown.stderr);
      assert.doesNotMatch(shown.stdout, /WnISqYUM/);
      const root = await postern.cli('ca', 'export');
      assert.match(root.stdout, /^-----BEGIN CERTIFICATE-----/);
      assert.equal(statSync(join(postern.dataDir, 'control.sock')).mode & 0o777, 0o600);
      assert.doesNotMatch(postern.output(), new RegExp(password));
      await postern.close();

      const added = await postern.cli('user', 'add', 'bob', '--print-link');
      assert.equal(added.code, 0, added.stderr);
      assert.match(added.stdout, /set-password\?token=/);
      assert.match((await postern.cli('user', 'list')).stdout, /^bob +enabled +not set/m);
      assert.equal((await postern.cli('user', 'add', 'bob')).code, 1);
      assert.equal((await postern.cli('reload')).code, 1);
    },
  );

  test('installs a hardened unit and an env file of mode 600', async () => {
    const root = folder();
    const done = await runPostern(['install', '--config', '/etc/postern/postern.yaml', '--root', root]);
    assert.equal(done.code, 0, done.stderr);
    const unit = readFileSync(join(root, 'etc/systemd/system/postern.service'), 'utf8');
    for (const line of [
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'CapabilityBoundingSet=CAP_NET_BIND_SERVICE',
      'User=postern',
    ])
      assert.match(unit, new RegExp(`^${line}$`, 'm'));
    assert.equal(statSync(join(root, 'etc/postern/postern.env')).mode & 0o777, 0o600);
  });

  test(
    'systemd-analyze takes the unit, and calls its exposure OK',
    { skip: skipWithout('systemd-analyze') },
    async () => {
      const root = folder();
      const done = await runPostern(['install', '--config', '/etc/postern/postern.yaml', '--root', root]);
      assert.equal(done.code, 0, done.stderr);
      const unit = join(root, 'etc/systemd/system/postern.service');
      const analyze = (...args: string[]): string => execFileSync('systemd-analyze', args, { encoding: 'utf8' });
      assert.equal(analyze('verify', unit), '');
      // 0 is locked up, 10 is none; 2 and less of it is what systemd itself calls OK.
      assert.match(
        analyze('security', '--offline=true', '--threshold=20', unit),
        /exposure level for postern\.service: 1\.\d/,
      );
    },
  );

  test(
    'the embedded default answers, and keeps the first administrator waiting for a password',
    { timeout: 300_000 },
    async () => {
      const dir = folder();
      const [https = 0] = await freePorts(1);
      const child = spawn(PROGRAM, ['run', '--data', join(dir, 'data'), '--https', `127.0.0.1:${https}`], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      await until(() => output.includes('First administrator') || child.exitCode !== null, 'it is ready');
      assert.match(output, /Postern is ready: https:\/\/whoami\.localhost/);
      const file = / by the link in (\S+) /.exec(output)?.[1] ?? '';
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const visitor = createVisitor();
      const page = await visitor.open(readFileSync(file, 'utf8').trim());
      const home = await visitor.submit(page, {
        password: 'a long enough password',
        again: 'a long enough password',
        confirm: 'a long enough password',
      });
      assert.equal(home.status, 200);
      const whoami = await visitor.open(`https://whoami.localhost:${https}/deep/link?x=1`);
      assert.equal(whoami.url, `https://whoami.localhost:${https}/deep/link?x=1`);
      assert.match(whoami.body, /admin/);
      child.kill('SIGINT');
      const code = await new Promise((done) => {
        child.on('exit', done);
      });
      assert.equal(code, 0);
    },
  );
});
