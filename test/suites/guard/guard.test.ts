/** `postern guard` as people run it: a process of flags and variables before an application, with a provider behind. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { SpawnSyncReturns } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { bcrypt } from 'hash-wasm';
import { freePorts } from '../../support/free-ports.ts';
import { accepts, until } from '../../support/programs.ts';
import { GithubTwin } from '../../../src/sign-in/github/_twin.ts';
import { startProvider } from '../oauth2-proxy/provider.ts';
import type { Provider } from '../oauth2-proxy/provider.ts';

const POSTERN = resolve(import.meta.dirname, '../../../bin/postern');
const dir = mkdtempSync(join(tmpdir(), 'postern-guard-'));
let provider: Provider;
/** Answers with what it was sent. */
const app = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ url: request.url, headers: request.headers }));
});
let appPort = 0;

interface Guard {
  readonly url: string;
  readonly stop: () => Promise<number | null>;
  /** SIGHUP; resolves when the log has these words since. */
  readonly reload: (words: string) => Promise<void>;
}

before(async () => {
  provider = await startProvider();
  await new Promise<void>((done) => {
    app.listen(0, '127.0.0.1', done);
  });
  appPort = (app.address() as AddressInfo).port;
});

after(async () => {
  await provider.close();
  app.closeAllConnections();
  await new Promise((done) => app.close(done));
  rmSync(dir, { recursive: true, force: true });
});

async function startGuard(args: readonly string[], port?: number): Promise<Guard> {
  const own = port ?? (await freePorts(1))[0] ?? 0;
  const child = spawn(POSTERN, ['guard', '--listen', `127.0.0.1:${own}`, ...args], {
    env: { PATH: process.env['PATH'], HOME: dir, POSTERN_TO: String(appPort) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((done) => {
    child.once('close', done);
  });
  await until(async () => child.exitCode !== null || (await accepts(own)), 'the guard listens');
  assert.equal(child.exitCode, null, output);
  return {
    url: `http://localhost:${own}`,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
    async reload(words) {
      const from = output.length;
      child.kill('SIGHUP');
      await until(() => output.slice(from).includes(words), words);
    },
  };
}

const OIDC = (): readonly string[] => [
  `--issuer=${provider.issuer}`,
  '--client-id=front-door',
  '--client-secret=secret-of-the-front-door',
];

/** A browser's cookies of the guard's host, and no redirect followed by itself. */
class Person {
  readonly cookies = new Map<string, string>();

  async get(url: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = {
      accept: 'text/html',
      'sec-fetch-dest': 'document',
      cookie,
      ...(init.headers as Record<string, string>),
    };
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  /** From the application's address to the provider, through its form, and back. */
  async signIn(url: string, username: string): Promise<Response> {
    const away = await this.get(url);
    assert.equal(away.status, 302, await away.text());
    const form = await fetch(away.headers.get('location') ?? '', {
      method: 'POST',
      body: new URLSearchParams({ username }),
      redirect: 'manual',
    });
    return this.get(form.headers.get('location') ?? '');
  }
}

interface Seen {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

test('guard signs people in by OpenID Connect and tells the application who came', async () => {
  const guard = await startGuard([...OIDC(), '--allow=group:/developers', '--public=/health']);
  try {
    const person = new Person();
    const back = await person.signIn(`${guard.url}/deep?a=1&b=2`, 'alice');
    assert.equal(back.headers.get('location'), '/deep?a=1&b=2');
    const forged = { 'x-forwarded-user': 'eve', 'x-forwarded-groups': '/admins' };
    const seen = (await (await person.get(`${guard.url}/deep?a=1&b=2`, { headers: forged })).json()) as Seen;
    assert.equal(seen.url, '/deep?a=1&b=2');
    assert.equal(seen.headers['x-forwarded-user'], 'sub-alice');
    assert.equal(seen.headers['x-forwarded-preferred-username'], 'alice');
    assert.equal(seen.headers['x-forwarded-groups'], '/developers,/developers/lead,ops');
    assert.ok(!(seen.headers['cookie'] ?? '').includes('postern'), 'the session cookie stays here');
    const open = (await (await fetch(`${guard.url}/health`, { headers: forged })).json()) as Seen;
    assert.deepEqual([open.headers['x-forwarded-user'], open.headers['x-forwarded-groups']], [undefined, undefined]);
  } finally {
    await guard.stop();
  }
});

test('guard asks the provider with PKCE and a nonce, and needs no e-mail address for a group', async () => {
  const guard = await startGuard([...OIDC(), '--allow=group:/developers']);
  try {
    const away = await new Person().get(`${guard.url}/`);
    const query = new URL(away.headers.get('location') ?? '').searchParams;
    assert.equal(query.get('code_challenge_method'), 'S256');
    assert.ok((query.get('nonce') ?? '').length > 20);
    assert.equal(query.get('scope'), 'openid email profile');
    assert.equal(query.get('redirect_uri'), `${guard.url}/.postern/callback`);
    assert.equal((await new Person().signIn(`${guard.url}/`, 'nomail')).status, 302);
  } finally {
    await guard.stop();
  }
});

test('guard keeps out whom no rule names: the wrong group, address or domain', async () => {
  const cases: readonly (readonly [rule: string, refused: string, admitted: string])[] = [
    ['group:/developers', 'bob', 'alice'],
    ['@example.com', 'suffix', 'carol'],
    ['email:dave@other.test', 'alice', 'dave'],
  ];
  for (const [rule, refused, admitted] of cases) {
    const guard = await startGuard([...OIDC(), `--allow=${rule}`]);
    try {
      const person = new Person();
      assert.equal((await person.signIn(`${guard.url}/`, refused)).status, 403, `${rule} ${refused}`);
      assert.equal((await person.get(`${guard.url}/`)).status, 302);
      assert.equal((await new Person().signIn(`${guard.url}/`, admitted)).status, 302, `${rule} ${admitted}`);
    } finally {
      await guard.stop();
    }
  }
});

test('guard signs people in by GitHub: members of an organisation or team, people by name beside one', async () => {
  const twin = new GithubTwin();
  await twin.start();
  const ann = { id: 1, login: 'ann', organisations: ['acme'], teams: ['acme/ops'] };
  const bob = { id: 2, login: 'bob', organisations: ['other'] };
  const client = [`--github-url=${twin.url}`, `--client-id=${twin.clientId}`, `--client-secret=${twin.clientSecret}`];
  const statusOf = async (rules: readonly string[], account: typeof ann | typeof bob): Promise<number> => {
    const guard = await startGuard([...client, ...rules.map((rule) => `--allow=${rule}`)]);
    try {
      twin.account = account;
      const person = new Person();
      const away = await person.get(`${guard.url}/x`);
      return (await person.get(twin.visit(away.headers.get('location') ?? ''))).status;
    } finally {
      await guard.stop();
    }
  };
  try {
    assert.equal(await statusOf(['github:org:acme'], ann), 302);
    assert.equal(await statusOf(['org:acme'], bob), 403);
    assert.equal(await statusOf(['team:acme/ops', 'org:third'], ann), 302);
    assert.equal(await statusOf(['org:acme', 'user:bob'], bob), 302);
    assert.equal(await statusOf(['user:bob'], ann), 403);
  } finally {
    await twin.stop();
  }
});

test('guard takes a password file alone, and sessions outlast a restart in its data folder', async () => {
  const file = join(dir, 'passwords');
  const hash = await bcrypt({ password: 'right', salt: randomBytes(16), costFactor: 6, outputType: 'encoded' });
  writeFileSync(file, `ann:${hash}\n`);
  const data = join(dir, 'data');
  const [port = 0] = await freePorts(1);
  const args = ['--passwords', file, '--allow', 'signed-in', '--data', data];
  const person = new Person();
  const first = await startGuard(args, port);
  const send = (password: string): Promise<Response> =>
    person.get(`${first.url}/.postern/sign_in`, {
      method: 'POST',
      headers: { origin: first.url, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ username: 'ann', password, rd: '/x' }).toString(),
    });
  assert.equal((await send('wrong')).status, 401);
  assert.equal((await send('right')).headers.get('location'), '/x');
  assert.equal(await first.stop(), 0);
  assert.equal(statSync(join(data, 'guard-cookie-secret')).mode & 0o777, 0o600);
  const second = await startGuard(args, port);
  try {
    const seen = (await (await person.get(`${second.url}/x`)).json()) as Seen;
    assert.equal(seen.headers['x-forwarded-user'], 'ann');
    assert.equal((await new Person().get(`${second.url}/.postern/start`)).status, 200);
  } finally {
    await second.stop();
  }
});

test('guard takes everything from --env-file, and SIGHUP reads it again', async () => {
  const file = join(dir, 'guard.env');
  const write = (rule: string): void =>
    writeFileSync(
      file,
      `POSTERN_ISSUER="${provider.issuer}"\nPOSTERN_CLIENT_ID=front-door\nPOSTERN_CLIENT_SECRET='secret-of-the-front-door'\nPOSTERN_ALLOW=${rule}\n`,
    );
  write('@example.com');
  const guard = await startGuard([`--env-file=${file}`]);
  const alice = new Person();
  assert.equal((await alice.signIn(`${guard.url}/`, 'alice')).status, 302);
  assert.equal((await alice.get(`${guard.url}/`)).status, 200);
  write('@other.test');
  await guard.reload('Settings were read again');
  assert.equal((await alice.get(`${guard.url}/`)).status, 403);
  write('nonsense:x');
  await guard.reload('Settings were not read again: the old ones stay');
  assert.equal((await alice.get(`${guard.url}/`)).status, 403);
  write('@example.com');
  await guard.reload('Settings were read again');
  assert.equal((await alice.get(`${guard.url}/`)).status, 200);
  assert.equal(await guard.stop(), 0);
});

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): SpawnSyncReturns<string> {
  return spawnSync(POSTERN, [...args], { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: dir, ...env } });
}

test('--config-test says all that is wrong and writes nothing; --print-config prints what postern check takes', () => {
  const data = join(dir, 'untouched');
  const passwords = join(dir, 'people');
  writeFileSync(passwords, 'ann:$2y$05$abcdefghijklmnopqrstuuC8vGPnRdY1aQ0FvbCgXyVd1a8G2bGZa\n');
  const oidc = ['--issuer=https://id.example.com/realms/main', '--client-id=app', '--client-secret=hush-hush'];
  const away = ['--to=3000', '--url=https://app.example.com', `--data=${data}`];
  const bad = run(['guard', ...away, ...oidc, '--config-test', '--allow=role:x', '--scopes=a']);
  assert.equal(bad.status, 1);
  assert.match(bad.stderr, /"role:x"/);
  assert.match(bad.stderr, /did you mean --scope\?/);
  const good = run(['guard', ...away, ...oidc, '--config-test', '--allow=group:/developers']);
  assert.deepEqual([good.status, good.stdout], [0, 'configuration is valid\n']);
  for (const args of [
    [
      ...away,
      ...oidc,
      '--allow=group:/developers',
      '--allow=ip:10.0.0.0/8',
      '--public=/health',
      '--trust-proxy=private',
    ],
    [...away, ...oidc, '--provider=keycloak-oidc', '--allow=role:admin', '--public=/assets/*'],
    [...away, ...oidc, '--allow=@example.com', '--allow=email:bob@other.test'],
    [...away, '--github', '--client-id=a', '--client-secret=hush-hush', '--allow=org:acme', '--allow=user:bob'],
    [...away, `--passwords=${passwords}`, '--allow=signed-in'],
    ['--to=3000', '--listen=127.0.0.1:4180', `--passwords=${passwords}`, '--allow=signed-in'],
  ]) {
    const printed = run(['guard', ...args, '--print-config']);
    assert.equal(printed.status, 0, printed.stderr);
    assert.doesNotMatch(printed.stdout, /hush-hush/);
    writeFileSync(join(dir, 'postern.yaml'), printed.stdout);
    const checked = run(['check', '--config', join(dir, 'postern.yaml')], { CLIENT_SECRET: 'a-secret' });
    assert.equal(checked.status, 0, `${args.join(' ')}\n${printed.stdout}\n${checked.stdout}${checked.stderr}`);
  }
  assert.equal(existsSync(data), false);
});
