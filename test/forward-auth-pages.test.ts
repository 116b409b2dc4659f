/** What docs/forward-auth tells people to write is taken by `postern forward-auth`, and its links lead somewhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { loadGuard } from '../src/forward-auth/options/guard/load-guard.ts';
import { loadSettings } from '../src/forward-auth/options/load-settings.ts';
import { findPeer } from './support/peers.ts';
import { blockOf, fillIn, parseEnv } from './suites/fronts/page.ts';

const DIR = resolve(import.meta.dirname, '../docs/forward-auth');
const SECRETS = { OAUTH2_PROXY_CLIENT_SECRET: 's', OAUTH2_PROXY_COOKIE_SECRET: '0123456789abcdef0123456789abcdef' };

function findingsOf(args: readonly string[], env: Readonly<Record<string, string>>): string[] {
  const { findings } = loadSettings({ args, env, now: () => 0 });
  return findings.map(({ severity, option, message }) => `${severity} ${option} ${message}`);
}

test('the settings of docs/forward-auth are good settings', () => {
  const secret = { '32-bytes-as-openssl-rand-makes-it': SECRETS.OAUTH2_PROXY_COOKIE_SECRET };
  const env = parseEnv(fillIn(blockOf('README.md', 'Settings', 'sh'), secret));
  assert.deepEqual(findingsOf([], env), []);
  const more = parseEnv(blockOf('traefik.md', 'As it stands: a static upstream', 'sh'));
  assert.deepEqual(findingsOf([], { ...env, ...more }), []);
});

test('the Deployment of docs/forward-auth/moving.md starts', () => {
  const [deployment, service] = parseAllDocuments(blockOf('moving.md', 'Kubernetes', 'yaml')).map(
    (document) =>
      document.toJS() as { kind: string; spec: { template: { spec: { containers: { args: string[] }[] } } } },
  );
  assert.deepEqual([deployment?.kind, service?.kind], ['Deployment', 'Service']);
  const [command, ...args] = deployment?.spec.template.spec.containers[0]?.args ?? [];
  assert.equal(command, 'forward-auth');
  assert.deepEqual(findingsOf(args, SECRETS), []);
  const { settings } = loadSettings({ args, env: SECRETS, now: () => 0 });
  assert.deepEqual(settings?.admission.groups, ['/developers'], 'quotes of an args list are no part of a group');
});

test('the Compose file of docs/forward-auth/moving.md runs forward-auth, and its volume and port are named', () => {
  const [file] = parseAllDocuments(blockOf('moving.md', 'Docker Compose', 'yaml')).map((document) => {
    return document.toJS() as {
      services: Record<string, { command: string[]; expose: string[]; volumes: string[] }>;
      volumes: Record<string, unknown>;
    };
  });
  const { postern } = file?.services ?? {};
  assert.deepEqual(postern?.command, ['forward-auth']);
  assert.deepEqual(
    postern?.volumes.map((volume) => volume.split(':')[0]),
    Object.keys(file?.volumes ?? {}),
  );
  const env = { ...parseEnv(blockOf('README.md', 'Settings', 'sh')), ...SECRETS };
  const address = { OAUTH2_PROXY_HTTP_ADDRESS: `0.0.0.0:${postern?.expose[0] ?? ''}` };
  assert.deepEqual(findingsOf(postern?.command.slice(1) ?? [], { ...env, ...address }), []);
});

test('the pod of docs/recipes/guard.md starts', () => {
  const [, text = ''] = /^```yaml\n([\s\S]*?)^```$/m.exec(readFileSync(join(DIR, '../recipes/guard.md'), 'utf8')) ?? [];
  const [pod] = parseAllDocuments(text).map((document) => {
    type Variable = { readonly name: string; readonly value?: string };
    return document.toJS() as { containers: { name: string; args?: string[]; env?: Variable[] }[] };
  });
  const guard = pod?.containers.find(({ name }) => name === 'guard');
  const [command, ...args] = guard?.args ?? [];
  assert.equal(command, 'guard');
  const env = Object.fromEntries((guard?.env ?? []).map(({ name, value = 'a-secret' }) => [name, value]));
  const { findings, settings } = loadGuard({ args, env, now: () => 0, cookieSecret: 'a'.repeat(32) });
  assert.deepEqual(findings, []);
  assert.equal(settings?.paths.ready, '/.postern/ready', 'the probe asks where it answers');
});

test('the unit of docs/forward-auth/moving.md is one', { skip: findPeer('systemd-analyze') === null }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-unit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'postern-forward-auth.service');
  writeFileSync(file, fillIn(blockOf('moving.md', 'systemd', 'ini'), { '/usr/local/bin/postern': '/bin/true' }));
  const said = execFileSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8', stdio: 'pipe' });
  assert.equal(said, '');
});

for (const page of readdirSync(DIR)) {
  test(`docs/forward-auth/${page}: every link leads to a file`, () => {
    const text = readFileSync(join(DIR, page), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
    const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    const broken = links.filter(
      (target) => !target.includes('://') && !existsSync(resolve(dirname(join(DIR, page)), target)),
    );
    assert.deepEqual(broken, []);
  });
}
