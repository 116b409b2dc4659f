/** The two programs that a front proxy asks, from the same settings, and somebody who is signed in at them. */
import { join, resolve } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { findPeer } from '../../test/support/peers.ts';
import { freePorts } from '../../test/support/free-ports.ts';
import { createSide } from '../../test/suites/oauth2-proxy/side.ts';
import { startUpstream } from '../../test/suites/oauth2-proxy/upstream.ts';
import { startPinned, waitForPort } from './processes.ts';

export type CheckerName = 'postern' | 'oauth2-proxy';
/** Default: Postern's own store, oauth2-proxy's cookie. */
export type Keeping = 'default' | 'stateless' | 'redis';

export interface CheckerSite {
  readonly dir: string;
  readonly issuer: string;
  readonly redisPort: number;
  readonly keeping: Keeping;
  readonly logs: boolean;
  readonly core: number;
}

export interface Checker {
  readonly child: ChildProcess;
  readonly port: number;
}

const POSTERN = resolve(import.meta.dirname, '../../bin/postern');

export async function startChecker(name: CheckerName, site: CheckerSite): Promise<Checker> {
  const [port = 0] = await freePorts(1);
  const [command, args] =
    name === 'postern'
      ? [POSTERN, ['forward-auth', '--data', join(site.dir, 'data')]]
      : [findPeer('oauth2-proxy') ?? 'oauth2-proxy', []];
  if (name === 'postern' && site.keeping === 'stateless') args.push('--session-mode', 'stateless');
  const child = startPinned(command, args, {
    core: site.core,
    logFile: join(site.dir, `${name}.log`),
    logsItself: true,
    env: { HOME: site.dir, GOMAXPROCS: '1', UV_THREADPOOL_SIZE: '2', ...settings(port, site) },
  });
  await waitForPort(port);
  return { child, port };
}

function settings(port: number, { issuer, keeping, redisPort, logs }: CheckerSite): Record<string, string> {
  const all: Record<string, string> = {
    PROVIDER: 'oidc',
    OIDC_ISSUER_URL: issuer,
    CLIENT_ID: 'front-door',
    CLIENT_SECRET: 'secret-of-the-front-door',
    COOKIE_SECRET: '0123456789abcdef0123456789abcdef',
    EMAIL_DOMAINS: '*',
    UPSTREAMS: 'static://202',
    HTTP_ADDRESS: `127.0.0.1:${port}`,
    SCOPE: 'openid email profile',
    REVERSE_PROXY: 'true',
    SET_XAUTHREQUEST: 'true',
    REDIRECT_URL: 'https://app.example.com/oauth2/callback',
  };
  if (keeping === 'redis')
    Object.assign(all, { SESSION_STORE_TYPE: 'redis', REDIS_CONNECTION_URL: `redis://127.0.0.1:${redisPort}` });
  if (!logs) Object.assign(all, { REQUEST_LOGGING: 'false', AUTH_LOGGING: 'false' });
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [`OAUTH2_PROXY_${name}`, value]));
}

/** The cookies of somebody who signed in through the provider's form. */
export async function signInAt({ port }: Checker, issuer: string): Promise<string> {
  const upstream = await startUpstream();
  const side = createSide({
    places: { port, upstreamPort: upstream.port, issuer, dir: '/', prefix: '/oauth2', cookie: '_oauth2_proxy' },
    upstream,
    program: { output: () => '', stop: () => Promise.resolve() },
    tls: false,
    idToken: () => '',
  });
  const headers = [['X-Forwarded-Proto', 'https']] as const;
  const { jar, callback } = await side.signIn('alice', { headers });
  await upstream.close();
  if (callback.status !== 302) throw new Error(`Cannot sign in: the callback answered ${callback.status}`);
  return [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
}
