/** People who signed in at the real oauth2-proxy stay signed in when Postern takes its place with the same settings. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { PEOPLE } from '../oauth2-proxy/people.ts';
import { startIn } from '../oauth2-proxy/programs.ts';
import { startProvider } from '../oauth2-proxy/provider.ts';
import { createSide, valueOf } from '../oauth2-proxy/side.ts';
import { startUpstream } from '../oauth2-proxy/upstream.ts';
import type { ProgramName } from '../oauth2-proxy/programs.ts';
import type { Provider } from '../oauth2-proxy/provider.ts';
import type { Jar, Side } from '../oauth2-proxy/side.ts';

const skip = skipWithout('oauth2-proxy');
const AUTH = 'GET /oauth2/auth';
/** Of the answer, what front proxies copy. */
const COPIED = ['user', 'email', 'groups', 'preferred-username', 'access-token'].map((it) => `x-auth-request-${it}`);

interface Rig {
  readonly provider: Provider;
  readonly start: (name: ProgramName, env?: Readonly<Record<string, string>>) => Promise<Side>;
  readonly stopAll: () => Promise<void>;
}

function withPrograms(title: string, body: (rig: Rig) => Promise<void>): void {
  test(title, { skip }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-taken-over-'));
    const provider = await startProvider();
    const closers: (() => Promise<void>)[] = [];
    const stopAll = async (): Promise<void> => {
      for (const close of closers.splice(0)) await close();
    };
    try {
      await body({
        provider,
        stopAll,
        async start(name, env = {}) {
          const own = join(dir, `${name}-${closers.length}`);
          mkdirSync(own);
          const { side, close } = await startSide(name, own, provider.issuer, env);
          closers.push(close);
          return side;
        },
      });
    } finally {
      await stopAll();
      await provider.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

// oxlint-disable-next-line max-params -- one start, with what it needs
async function startSide(name: ProgramName, dir: string, issuer: string, more: Readonly<Record<string, string>>) {
  const [port = 0] = await freePorts(1);
  const settings: Record<string, string> = {
    PROVIDER: 'oidc',
    OIDC_ISSUER_URL: issuer,
    CLIENT_ID: 'front-door',
    CLIENT_SECRET: 'secret-of-the-front-door',
    COOKIE_SECRET: '0123456789abcdef0123456789abcdef',
    COOKIE_SECURE: 'false',
    EMAIL_DOMAINS: '*',
    UPSTREAMS: 'static://202',
    HTTP_ADDRESS: `127.0.0.1:${port}`,
    SCOPE: 'openid email profile',
    SET_XAUTHREQUEST: 'true',
    PASS_ACCESS_TOKEN: 'true',
    ...more,
  };
  const env = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key.startsWith('POSTERN_') ? key : `OAUTH2_PROXY_${key}`, value]),
  );
  const program = await startIn(name, dir, { env, port });
  if ('refused' in program) throw new Error(`Cannot start ${name}:\n${program.refused}`);
  const upstream = await startUpstream();
  const places = { port, upstreamPort: upstream.port, issuer, dir, prefix: '/oauth2', cookie: '_oauth2_proxy' };
  const side = createSide({ places, upstream, program, tls: false, idToken: () => '' });
  const close = async (): Promise<void> => {
    await program.stop();
    await upstream.close();
  };
  return { side, close };
}

const copy = (jar: Jar): { readonly jar: Jar } => ({ jar: new Map(jar) });

/** Signs in at the original, and answers the cookies with what it says of them. */
async function signInAtOriginal({ start, stopAll }: Rig, person: string, env: Readonly<Record<string, string>> = {}) {
  const original = await start('oauth2-proxy', env);
  const { jar } = await original.signIn(person);
  const answer = await original.ask(AUTH, copy(jar));
  assert.equal(answer.status, 202);
  await stopAll();
  return { jar, answer };
}

suite('Postern in the place of oauth2-proxy', () => {
  for (const secret of [
    '0123456789abcdef0123456789abcdef',
    'EY9SK6p8Y3p0bXlzZWNyZXRzZWNyZXRzZWNyZXRzZWM=',
    'sixteen-bytes-ok',
  ])
    withPrograms(`people stay signed in, with the same fields, under a secret of ${secret.length}`, async (rig) => {
      const env = { COOKIE_SECRET: secret };
      const { jar, answer } = await signInAtOriginal(rig, 'alice', env);
      const postern = await rig.start('postern', env);
      for (let i = 0; i < 2; i++) {
        const ours = await postern.ask(AUTH, copy(jar));
        assert.equal(ours.status, 202);
        for (const name of COPIED) assert.equal(valueOf(ours, name), valueOf(answer, name), name);
      }
    });

  withPrograms('also with a session that is split over cookies', async (rig) => {
    const groups = Array.from({ length: 400 }, (_, i) => `/teams/${(i * 7_919).toString(36)}/${i}`);
    Object.assign(PEOPLE, { many: { ...PEOPLE['alice'], groups } });
    const { jar, answer } = await signInAtOriginal(rig, 'many');
    assert.ok(jar.has('_oauth2_proxy_1'));
    const postern = await rig.start('postern');
    const ours = await postern.ask(AUTH, copy(jar));
    assert.equal(ours.status, 202);
    assert.equal(valueOf(ours, 'x-auth-request-groups'), valueOf(answer, 'x-auth-request-groups'));
    // A part less is none.
    jar.delete('_oauth2_proxy_1');
    assert.equal((await postern.ask(AUTH, copy(jar))).status, 401);
  });

  withPrograms('also with sessions sealed into cookies', async (rig) => {
    const { jar } = await signInAtOriginal(rig, 'alice');
    const postern = await rig.start('postern', { POSTERN_SESSION_MODE: 'stateless' });
    assert.equal((await postern.ask(AUTH, copy(jar))).status, 202);
  });

  withPrograms('signing out ends it, and a new sign-in too', async (rig) => {
    const { jar } = await signInAtOriginal(rig, 'alice');
    const postern = await rig.start('postern');
    const before = copy(jar);
    const out = await postern.ask('GET /oauth2/sign_out', { jar });
    assert.equal(out.status, 302);
    assert.ok(!jar.has('_oauth2_proxy'));
    assert.equal((await postern.ask(AUTH, before)).status, 401);
  });

  withPrograms('it becomes one of Postern’s own when it is renewed', async (rig) => {
    const env = { COOKIE_REFRESH: '5s' };
    const { jar } = await signInAtOriginal(rig, 'alice', env);
    const postern = await rig.start('postern', env);
    await new Promise((done) => {
      setTimeout(done, 5_100);
    });
    rig.provider.take();
    const old = new Map(jar);
    const asks = Array.from({ length: 20 }, () => postern.ask(AUTH, { jar }));
    assert.deepEqual(new Set((await Promise.all(asks)).map(({ status }) => status)), new Set([202]));
    assert.deepEqual(
      rig.provider.take().filter((call) => call.includes('/token')),
      ['POST /token'],
    );
    assert.match(jar.get('_oauth2_proxy') ?? '', /^[A-Za-z0-9_-]{43}$/);
    assert.equal((await postern.ask(AUTH, { jar })).status, 202);
    assert.equal((await postern.ask(AUTH, copy(old))).status, 202);
  });

  withPrograms('not with another secret, another cookie name, or of another issuer', async (rig) => {
    const { jar } = await signInAtOriginal(rig, 'alice');
    const other = await rig.start('postern', { COOKIE_SECRET: 'another-secret-of-32-bytes-long!' });
    assert.equal((await other.ask(AUTH, copy(jar))).status, 401);
    const renamed = await rig.start('postern', { COOKIE_NAME: 'renamed' });
    const cookies = new Map([['renamed', jar.get('_oauth2_proxy') ?? '']]);
    assert.equal((await renamed.ask(AUTH, { jar: cookies })).status, 401);
    const elsewhere = await startProvider();
    const moved = await rig.start('postern', { OIDC_ISSUER_URL: elsewhere.issuer });
    assert.equal((await moved.ask(AUTH, copy(jar))).status, 401);
    await elsewhere.close();
  });
});
