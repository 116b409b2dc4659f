/**
 * nginx, HAProxy and Caddy as witnesses of how bytes are read. Alone: what Postern takes, no witness reads as
 * another number of requests. Behind Postern: whatever a client sends, each of them finds in what Postern passes
 * on exactly the requests that Postern answered, and refuses none; a pair that smuggles may not exist.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import { startRecordingApp } from '../../support/recording-app.ts';
import { CORPUS } from './corpus.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Program } from '../../support/programs.ts';
import type { RecordingApp } from '../../support/recording-app.ts';

/** Name, how its own configuration leads from one port to another, and how it is started with that. */
const WITNESSES: readonly (readonly [
  name: string,
  config: (dir: string, port: number, app: number) => string,
  args: (dir: string, file: string) => readonly string[],
])[] = [
  [
    'nginx',
    (dir, port, app) => `daemon off; pid ${dir}/pid; error_log ${dir}/error.log; events {}
http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${dir}/${one};`).join(' ')}
upstream app { server 127.0.0.1:${app}; keepalive 4; }
server { listen 127.0.0.1:${port}; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } } }`,
    (dir, file) => ['-c', file, '-p', dir],
  ],
  [
    'haproxy',
    (_dir, port, app) => `defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 2s
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  server s 127.0.0.1:${app}
`,
    (_dir, file) => ['-db', '-f', file],
  ],
  [
    'caddy',
    (_dir, port, app) => `{
  admin off
  auto_https off
}
http://:${port} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${app}
}
`,
    (_dir, file) => ['run', '--adapter', 'caddyfile', '--config', file],
  ],
];

interface Witness {
  readonly name: string;
  readonly port: number;
  readonly app: RecordingApp;
  readonly program: Program;
}

interface Reading {
  readonly statuses: readonly number[];
  /** Requests that the app behind it found. */
  readonly count: number;
}

const GOOD = 'GET /behind HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n';
const isAnswered = (status: number): boolean => status >= 200 && status < 300;

suite('witnesses of how bytes are read', { skip: skipWithout('nginx', 'haproxy', 'caddy') }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-witnesses-'));
  const witnesses: Witness[] = [];
  let direct: RecordingApp;
  let postern: PosternProcess;

  before(async () => {
    direct = await startRecordingApp();
    for (const [name, config, args] of WITNESSES) {
      const app = await startRecordingApp();
      const [port = 0] = await freePorts(1);
      const file = join(dir, name);
      writeFileSync(file, config(dir, port, app.port));
      witnesses.push({ name, port, app, program: startProgram(name, args(dir, file)) });
    }
    for (const { name, port } of witnesses) await until(() => accepts(port), `${name} listens`);
    const host = (name: string, port: number): string =>
      `  ${name}.test: { tls: off, to: "http://127.0.0.1:${port}", allow: [public] }\n`;
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
${host('app', direct.port)}${witnesses.map(({ name, port }) => host(name, port)).join('')}`,
    });
  });
  after(async () => {
    await postern?.close();
    for (const { program, app } of witnesses) {
      await program.stop();
      await app.close();
    }
    await direct?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function read(port: number, app: RecordingApp, bytes: string): Promise<Reading> {
    app.reset();
    const { statuses } = await sendRaw(port, bytes + GOOD, { pauseMs: 0, quietMs: 1_000 });
    return { statuses: statuses.filter((status) => status >= 200), count: app.requests.length + app.broken.length };
  }

  test('alone: whoever takes what Postern takes finds as many requests in it', async () => {
    for (const { name, bytes } of CORPUS) {
      const ours = await read(postern.http, direct, bytes);
      assert.equal(ours.count, ours.statuses.filter(isAnswered).length, `${name}: ${ours.statuses.join()}`);
      assert.deepEqual(direct.broken, [], name);
      if (!ours.statuses.every(isAnswered)) continue;
      for (const witness of witnesses) {
        const theirs = await read(witness.port, witness.app, bytes);
        if (!theirs.statuses.every(isAnswered)) continue;
        assert.equal(theirs.count, ours.count, `${name}: ${witness.name} finds ${theirs.count}`);
      }
    }
  });

  test('behind Postern: each finds the requests that Postern answered, and refuses none', async () => {
    for (const { name, bytes } of CORPUS) {
      const ours = await read(postern.http, direct, bytes);
      for (const witness of witnesses) {
        const renamed = (bytes + GOOD)
          .replaceAll('app.test', `${witness.name}.test`)
          .replaceAll('APP.test', `${witness.name}.test`);
        witness.app.reset();
        const { statuses } = await sendRaw(postern.http, renamed, { pauseMs: 0, quietMs: 1_000 });
        const what = `${name} by way of ${witness.name}`;
        assert.deepEqual(
          statuses.filter((status) => status >= 200),
          ours.statuses,
          what,
        );
        assert.equal(witness.app.requests.length, ours.count, what);
        assert.deepEqual(witness.app.broken, [], what);
      }
    }
  });
});
