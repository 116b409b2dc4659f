/**
 * Loki's story: machines push and query under a stripped prefix with basic auth or by address, each with a
 * tenant of its own, beside a browser app at "/"; Prometheus scrapes through the same door; the allowed
 * address comes from an env file and changes by reload without a dropped request.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { hashPassword } from '../../../src/session/password-hash.ts';
import { findPeer, skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Program } from '../../support/programs.ts';
import type { Visit } from '../../support/visitor.ts';

const run = promisify(execFile);
const skip = skipWithout('loki', 'logcli', 'prometheus');
/** bcrypt, as "htpasswd -B" and "caddy hash-password" make it, of "s3cret-promtail". */
const BCRYPT = '$2a$05$WnISqYUMNkFN6z8o2QglZOaCDtbsdunXCFe/8yDlm85RmjNkM8cvC';

suite('Loki and Prometheus behind Postern', { skip }, () => {
  let dir = '';
  let loki: Program;
  let prometheus: Program;
  let app: Server;
  let postern: PosternProcess;
  let envFile = '';
  let prometheusPort = 0;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-loki-'));
    const [lokiPort = 0, grpcPort = 0, scrapePort = 0] = await freePorts(3);
    prometheusPort = scrapePort;
    mkdirSync(join(dir, 'loki'));
    writeFileSync(
      join(dir, 'loki.yaml'),
      `auth_enabled: true
server: { http_listen_address: 127.0.0.1, http_listen_port: ${lokiPort}, grpc_listen_address: 127.0.0.1, grpc_listen_port: ${grpcPort}, log_level: error }
common:
  instance_addr: 127.0.0.1
  path_prefix: ${dir}/loki
  replication_factor: 1
  ring: { kvstore: { store: inmemory } }
  storage: { filesystem: { chunks_directory: ${dir}/loki/chunks, rules_directory: ${dir}/loki/rules } }
schema_config:
  configs: [{ from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: { prefix: index_, period: 24h } }]
analytics: { reporting_enabled: false }
`,
    );
    loki = startProgram('loki', [`-config.file=${dir}/loki.yaml`]);
    app = createServer((_req, res) => {
      res.end('the browser app');
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    envFile = join(dir, 'postern.env');
    writeFileSync(envFile, '# who may push from AWS\nAWS_REQ_IP=203.0.113.7\n');
    postern = await startPostern({
      args: ['--env-file', envFile],
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
services:
  promtail: { password: "${BCRYPT}" }
  prometheus: { password: "${hashPassword('s3cret-prometheus')}" }
maps: { tenant: { "service:promtail": team-a } }
hosts:
  localhost:
    paths:
      /lokiaws/*: { strip_prefix: /lokiaws, to: "http://127.0.0.1:${lokiPort}", allow: ["ip:\${AWS_REQ_IP}"], add_headers: { X-Scope-OrgID: team-aws } }
      /lokitest/*: { strip_prefix: /lokitest, to: "http://127.0.0.1:${lokiPort}", allow: ["service:promtail"], add_headers: { X-Scope-OrgID: "{map.tenant}" } }
      /metrics: { to: "http://127.0.0.1:${lokiPort}", allow: ["service:prometheus"] }
      /*: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [signed-in] }
`,
    });
    await until(
      () =>
        fetch(`http://127.0.0.1:${lokiPort}/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
      'Loki is ready',
      200_000,
    );
  });
  after(async () => {
    await postern?.close();
    await prometheus?.stop();
    await loki?.stop();
    app?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const base = (): string => `https://localhost:${postern.https}`;
  const basic = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const push = (path: string, headers: Record<string, string>, line: string): Promise<Visit> => {
    const body = JSON.stringify({ streams: [{ stream: { job: 'suite' }, values: [[`${Date.now()}000000`, line]] }] });
    return createVisitor().send(`${base()}${path}/loki/api/v1/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
  };

  test(
    'Promtail pushes with its password, and logcli finds the line under its tenant',
    { timeout: 300_000 },
    async () => {
      const auth = { authorization: basic('promtail', 's3cret-promtail') };
      const line = `hello from the suite ${Date.now()}`;
      assert.equal((await push('/lokitest', auth, line)).status, 204);
      const args = [
        'query',
        `--addr=${base()}/lokitest`,
        '--username=promtail',
        '--password=s3cret-promtail',
        '--tls-skip-verify',
        '--quiet',
        '--since=10m',
        '{job="suite"}',
      ];
      await until(
        async () => (await run(findPeer('logcli') ?? '', args)).stdout.includes(line),
        'logcli finds the line',
        60_000,
      );
    },
  );

  test('a tenant that the client names itself is replaced', async () => {
    const headers = {
      authorization: basic('promtail', 's3cret-promtail'),
      'x-scope-orgid': 'team-b',
      X_Scope_OrgID: 'team-b',
    };
    const line = `spoofed ${Date.now()}`;
    assert.equal((await push('/lokitest', headers, line)).status, 204);
    const query = `${base()}/lokitest/loki/api/v1/query_range?query=${encodeURIComponent('{job="suite"}')}`;
    const own = { authorization: basic('promtail', 's3cret-promtail') };
    await until(async () => {
      const found = await createVisitor().send(query, { headers: own });
      assert.equal(found.status, 200);
      return found.body.includes(line);
    }, 'the line is found under the own tenant');
  });

  test('a wrong password gets 401 with a challenge, never a sign-in page', async () => {
    const wrong = await push('/lokitest', { authorization: basic('promtail', 'wrong') }, 'x');
    assert.equal(wrong.status, 401);
    assert.match(wrong.headers['www-authenticate'] ?? '', /^Basic realm=/);
    const none = await createVisitor().send(`${base()}/lokitest/ready`, {
      headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    });
    assert.equal(none.status, 401);
    assert.equal(
      (await push('/lokitest', { authorization: basic('prometheus', 's3cret-prometheus') }, 'x')).status,
      403,
    );
  });

  test(
    'the address of the env file decides, and a reload changes it without a dropped request',
    { timeout: 300_000 },
    async () => {
      assert.equal((await push('/lokiaws', {}, 'x')).status, 403);
      const state = { isOver: false };
      const statuses: number[] = [];
      const visitor = createVisitor();
      const traffic = (async () => {
        while (!state.isOver) {
          const answer = await visitor.send(`${base()}/lokitest/ready`, {
            headers: { authorization: basic('promtail', 's3cret-promtail') },
          });
          statuses.push(answer.status);
        }
      })();
      writeFileSync(envFile, 'AWS_REQ_IP=127.0.0.1\n');
      const reloaded = await postern.cli('reload');
      assert.equal(reloaded.code, 0, reloaded.stderr);
      assert.equal((await push('/lokiaws', {}, 'from aws')).status, 204);
      writeFileSync(envFile, 'AWS_REQ_IP=not an address\n');
      const refused = await postern.cli('reload');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /AWS_REQ_IP/);
      assert.equal((await push('/lokiaws', {}, 'still')).status, 204);
      state.isOver = true;
      await traffic;
      assert.ok(statuses.length > 3);
      assert.deepEqual(new Set(statuses), new Set([200]));
    },
  );

  test('the browser app at "/" signs people in beside the machines', async () => {
    const password = await addUser(postern, 'alice');
    const visitor = await signIn(`${base()}/dashboard?from=1`, 'alice', password);
    const page = await visitor.send(`${base()}/dashboard?from=1`);
    assert.equal(page.body, 'the browser app');
    assert.equal((await visitor.send(`${base()}/lokitest/ready`)).status, 403);
  });

  test('Prometheus scrapes Loki through the door with a password of its own', { timeout: 300_000 }, async () => {
    writeFileSync(
      join(dir, 'prometheus.yaml'),
      `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: loki
    scheme: https
    tls_config: { insecure_skip_verify: true }
    basic_auth: { username: prometheus, password: s3cret-prometheus }
    static_configs: [{ targets: ["localhost:${postern.https}"] }]
`,
    );
    const where = [
      `--config.file=${dir}/prometheus.yaml`,
      `--storage.tsdb.path=${dir}/prometheus`,
      `--web.listen-address=127.0.0.1:${prometheusPort}`,
    ];
    prometheus = startProgram('prometheus', [...where, '--log.level=error']);
    await until(
      async () => {
        if (!(await accepts(prometheusPort))) return false;
        const answer = await fetch(
          `http://127.0.0.1:${prometheusPort}/api/v1/query?query=${encodeURIComponent('up{job="loki"}')}`,
        );
        return /"1"\]/.test(await answer.text());
      },
      'Prometheus sees its target up',
      60_000,
    );
  });
});
