/** Two `postern forward-auth` on one Redis, as a front proxy meets them: refresh, sign-out, outage. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { AT_ONCE_MS, until } from '../../support/programs.ts';
import { startRedis } from '../../support/redis.ts';
import { startIn } from '../oauth2-proxy/programs.ts';
import { startProvider } from '../oauth2-proxy/provider.ts';
import { createSide, valueOf } from '../oauth2-proxy/side.ts';
import { startUpstream } from '../oauth2-proxy/upstream.ts';
import type { RedisServer } from '../../support/redis.ts';
import type { Running } from '../oauth2-proxy/programs.ts';
import type { Provider } from '../oauth2-proxy/provider.ts';
import type { Jar, Side } from '../oauth2-proxy/side.ts';
import type { Answer } from '../oauth2-proxy/raw-client.ts';

const skip = skipWithout('redis-server', 'redis-cli');
const AUTH = 'GET /oauth2/auth';

interface Replica {
  readonly side: Side;
  readonly program: Running;
}

interface Rig {
  readonly replicas: readonly Replica[];
  readonly provider: Provider;
  readonly redis: () => RedisServer;
  readonly restartRedis: () => Promise<void>;
}

async function startReplica(dir: string, issuer: string, redisPort: number): Promise<Replica> {
  const [port = 0] = await freePorts(1);
  const settings: Record<string, string> = {
    PROVIDER: 'oidc',
    OIDC_ISSUER_URL: issuer,
    CLIENT_ID: 'front-door',
    CLIENT_SECRET: 'secret-of-the-front-door',
    COOKIE_SECRET: '0123456789abcdef0123456789abcdef',
    COOKIE_SECURE: 'false',
    COOKIE_REFRESH: '5s',
    EMAIL_DOMAINS: '*',
    UPSTREAMS: 'static://202',
    HTTP_ADDRESS: `127.0.0.1:${port}`,
    SCOPE: 'openid email profile',
    SESSION_STORE_TYPE: 'redis',
    REDIS_CONNECTION_URL: `redis://127.0.0.1:${redisPort}`,
  };
  const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`OAUTH2_PROXY_${name}`, value]));
  mkdirSync(dir);
  const program = await startIn('postern', dir, { env, port });
  if ('refused' in program) throw new Error(`Cannot start Postern:\n${program.refused}`);
  const upstream = await startUpstream();
  const places = { port, upstreamPort: upstream.port, issuer, dir, prefix: '/oauth2', cookie: '_oauth2_proxy' };
  const side = createSide({ places, upstream, program, tls: false, idToken: () => '' });
  return { side, program: { ...program, stop: () => program.stop().then(() => upstream.close()) } };
}

function withReplicas(title: string, body: (rig: Rig) => Promise<void>): void {
  test(title, { skip }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-replicas-'));
    const kept = { dir, args: ['--appendonly', 'yes', '--appendfsync', 'always'] };
    let redis = await startRedis(kept);
    const provider = await startProvider();
    const start = (name: string): Promise<Replica> => startReplica(join(dir, name), provider.issuer, redis.port);
    const replicas: Replica[] = [];
    try {
      replicas.push(await start('one'), await start('other'));
      for (const { side } of replicas)
        await until(async () => (await side.ask('GET /ready')).status === 200, 'Postern is ready');
      await body({
        replicas,
        provider,
        redis: () => redis,
        restartRedis: async () => {
          redis = await startRedis({ ...kept, port: redis.port });
        },
      });
    } finally {
      await Promise.all(replicas.map(({ program }) => program.stop()));
      await provider.close();
      await redis.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

const cookiesOf = (answer: Answer): readonly string[] =>
  answer.fields.flatMap(([name, value]) => (name.toLowerCase() === 'set-cookie' ? [value] : []));
const copy = (jar: Jar): { readonly jar: Jar } => ({ jar: new Map(jar) });

suite('two Posterns on one Redis, behind a front proxy', () => {
  withReplicas('a session counts at both, and signing out at one ends it at both', async ({ replicas }) => {
    const [one, other] = replicas.map(({ side }) => side) as [Side, Side];
    const { jar } = await one.signIn('alice');
    for (const side of [one, other, one, other]) assert.equal((await side.ask(AUTH, copy(jar))).status, 202);
    assert.equal((await one.ask('GET /oauth2/sign_out', copy(jar))).status, 302);
    assert.equal((await one.ask(AUTH, copy(jar))).status, 401);
    await until(async () => (await other.ask(AUTH, copy(jar))).status === 401, 'the end at the other', AT_ONCE_MS);
  });

  withReplicas('50 requests that are due at once at both are one call to the token endpoint', async (rig) => {
    const { replicas, provider } = rig;
    const [one, other] = replicas.map(({ side }) => side) as [Side, Side];
    const { jar } = await one.signIn('alice');
    assert.equal((await other.ask(AUTH, copy(jar))).status, 202);
    await new Promise((done) => {
      setTimeout(done, 5_100);
    });
    provider.take();
    const asks = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? one : other).ask(AUTH, copy(jar)));
    const answers = await Promise.all(asks);
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
    assert.deepEqual(
      provider.take().filter((call) => call.includes('/token')),
      ['POST /token'],
    );
    assert.ok(answers.some((answer) => cookiesOf(answer).some((line) => line.startsWith('_oauth2_proxy='))));
  });

  withReplicas('an outage is 5xx and keeps everybody’s cookie; afterwards all go on', async (rig) => {
    const { replicas, redis, restartRedis } = rig;
    const [one, other] = replicas.map(({ side }) => side) as [Side, Side];
    const { jar } = await one.signIn('alice');
    assert.equal((await other.ask(AUTH, copy(jar))).status, 202);
    await redis().stop();
    for (const side of [one, other]) {
      await until(async () => (await side.ask(AUTH, copy(jar))).status >= 500, 'the outage');
      for (const line of [AUTH, 'GET /oauth2/userinfo', 'GET /oauth2/sign_out', 'GET /']) {
        const answer = await side.ask(line, copy(jar));
        assert.ok(answer.status >= 500 && answer.status < 600, `${line}: ${answer.status}`);
        assert.deepEqual(cookiesOf(answer), [], line);
      }
      // Whoever brings nothing needs no store.
      assert.equal((await side.ask(AUTH)).status, 401);
      assert.equal((await side.ask('GET /ping')).status, 200);
      const ready = await side.ask('GET /ready');
      assert.ok(ready.status >= 500);
      assert.ok(!ready.body.includes('127.0.0.1') && !ready.body.includes(String(redis().port)), ready.body);
    }
    // Also once a renewal is due.
    await new Promise((done) => {
      setTimeout(done, 5_100);
    });
    const due = await one.ask(AUTH, copy(jar));
    assert.ok(due.status >= 500 && cookiesOf(due).length === 0, String(due.status));
    await restartRedis();
    for (const side of [one, other])
      await until(async () => (await side.ask(AUTH, copy(jar))).status === 202, 'Redis again');
    for (const { program } of replicas) assert.doesNotMatch(program.output(), /INTERNAL/);
    assert.equal(valueOf(await one.ask('GET /ready'), 'set-cookie'), undefined);
  });
});
