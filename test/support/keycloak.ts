/**
 * A real Keycloak for suites: started once, filled through its admin API. Realm "main", groups
 * /developers and /ops, users alice (in /developers), bob and carol with the password "pw-NAME", and the
 * confidential client "postern" whose tokens carry full group paths.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { freePorts } from './free-ports.ts';
import { findPeer } from './peers.ts';
import { createTimeLimit } from './time-limit.ts';

export const CLIENT_SECRET = 's3cret-of-postern';
const REALM = 'main';
/** Of a start, on a machine that has two busy processors. */
const START_MS = 240_000;
const ADMIN = 'admin';

export interface KeycloakOptions {
  /** Where Postern's sign-in host is: redirect and back-channel addresses hang on it. */
  readonly signInUrl: string;
  /** How Postern is reached by Keycloak itself, for back-channel logout. */
  readonly backChannelUrl: string;
  /** Public address where a gateway stands in front; else Keycloak's own. */
  readonly hostname?: string;
  readonly port?: number;
  /** PEM file of a CA that Keycloak trusts besides the system's. */
  readonly trustedCa?: string;
  /** Names that Keycloak finds at 127.0.0.1. */
  readonly hosts?: readonly string[];
  /** Access tokens are renewed after this long; Keycloak's own default is 300. */
  readonly accessTokenSeconds?: number;
}

export interface Keycloak {
  readonly port: number;
  readonly issuer: string;
  readonly output: () => string;
  /** One call of the admin API below the realm. */
  readonly admin: (method: string, path: string, body?: unknown) => Promise<unknown>;
  readonly addToGroup: (user: string, group: string) => Promise<void>;
  readonly removeFromGroup: (user: string, group: string) => Promise<void>;
  /** Ends all sessions of the person at the provider, as an administrator does. */
  readonly logOut: (user: string) => Promise<void>;
  /** New signing keys become active; the old ones go. */
  readonly rotateKeys: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** It stands still as it is: connections are accepted by the kernel, and nothing is answered. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => Promise<void>;
}

export async function startKeycloak(options: KeycloakOptions): Promise<Keycloak> {
  const [free = 0, management = 0] = await freePorts(2);
  const port = options.port ?? free;
  const dir = mkdtempSync(join(tmpdir(), 'keycloak-'));
  const base = `http://127.0.0.1:${port}`;
  const hostsFile = join(dir, 'hosts');
  writeFileSync(hostsFile, ['localhost', ...(options.hosts ?? [])].map((name) => `127.0.0.1 ${name}\n`).join(''));
  let child: ChildProcess | null = null;
  let output = '';
  /** A port that was free a moment ago may be the near end of somebody's connection by now; that passes. */
  const start = async (tries = 3): Promise<void> => {
    const from = output.length;
    try {
      await startOnce();
    } catch (error) {
      if (tries === 1 || !/already bound|Address already in use/i.test(output.slice(from))) throw error;
      await new Promise((done) => setTimeout(done, 2_000));
      await start(tries - 1);
    }
  };
  const startOnce = async (): Promise<void> => {
    const hostname = options.hostname === undefined ? [] : ['--hostname', options.hostname];
    const args = ['start-dev', '--http-host', '127.0.0.1', '--http-port', String(port), ...hostname];
    const proxied = ['--proxy-headers', 'xforwarded'];
    const trust = options.trustedCa === undefined ? [] : ['--truststore-paths', options.trustedCa];
    const own = ['--http-management-port', String(management), '--db', 'dev-file', '--log-level', 'WARN'];
    child = spawn(findPeer('kc') ?? 'kc', [...args, ...proxied, ...trust, ...own], {
      env: {
        ...process.env,
        KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN,
        KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN,
        KC_DB_URL: `jdbc:h2:file:${join(dir, 'db')};NON_KEYWORDS=VALUE`,
        JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx512m',
        JAVA_OPTS_APPEND: `-XX:TieredStopAtLevel=1 -Djdk.net.hosts.file=${hostsFile}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const started = child;
    await answers(`${base}/realms/master`, () => (started.exitCode === null ? null : output));
  };
  const stop = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null) return;
    const ended = new Promise<void>((done) => {
      running.once('exit', () => done());
    });
    signalGroup(running, 'SIGTERM');
    signalGroup(running, 'SIGCONT');
    const timer = setTimeout(() => signalGroup(running, 'SIGKILL'), 60_000);
    await ended;
    clearTimeout(timer);
  };
  const killer = (): void => {
    if (child !== null) signalGroup(child, 'SIGKILL');
  };
  process.once('exit', killer);

  await start();
  let token = { value: '', until: 0 };
  const admin = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    if (Date.now() > token.until) token = await adminToken(base);
    return call(base, { method, path, body, token: token.value });
  };
  const realm = createRealm(admin);
  await realm.fill(options);
  const issuer = `${options.hostname ?? `http://localhost:${port}`}/realms/${REALM}`;
  return {
    port,
    issuer,
    output: () => output,
    admin: (method, path, body) => admin(method, `/admin/realms/${REALM}${path}`, body),
    ...realm.operations,
    start,
    stop,
    pause: () => child !== null && signalGroup(child, 'SIGSTOP'),
    resume: () => child !== null && signalGroup(child, 'SIGCONT'),
    async close() {
      await stop();
      process.removeListener('exit', killer);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The start script and the JVM are one group. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It has ended by itself.
  }
}

type Admin = (method: string, path: string, body?: unknown) => Promise<unknown>;
type Operations = Pick<Keycloak, 'addToGroup' | 'removeFromGroup' | 'logOut' | 'rotateKeys'>;

function createRealm(admin: Admin): {
  readonly fill: (options: KeycloakOptions) => Promise<void>;
  readonly operations: Operations;
} {
  const path = `/admin/realms/${REALM}`;
  const idOf = async (what: 'users' | 'groups', name: string): Promise<string> => {
    const query = what === 'users' ? `username=${name}&exact=true` : `search=${name}&exact=true`;
    const found = (await admin('GET', `${path}/${what}?${query}`)) as { readonly id: string }[];
    return found[0]?.id ?? '';
  };
  const member = async (method: string, user: string, group: string): Promise<void> => {
    await admin(method, `${path}/users/${await idOf('users', user)}/groups/${await idOf('groups', group)}`);
  };
  return {
    fill: (options) => fillRealm(admin, options),
    operations: {
      addToGroup: (user, group) => member('PUT', user, group),
      removeFromGroup: (user, group) => member('DELETE', user, group),
      async logOut(user) {
        await admin('POST', `${path}/users/${await idOf('users', user)}/logout`);
      },
      async rotateKeys() {
        const components = (await admin('GET', `${path}/components?type=org.keycloak.keys.KeyProvider`)) as {
          readonly id: string;
          readonly providerId: string;
        }[];
        const config = {
          priority: ['1000'],
          enabled: ['true'],
          active: ['true'],
          algorithm: ['RS256'],
          keySize: ['2048'],
        };
        const type = 'org.keycloak.keys.KeyProvider';
        await admin('POST', `${path}/components`, {
          name: 'next',
          providerId: 'rsa-generated',
          providerType: type,
          config,
        });
        for (const old of components.filter((one) => one.providerId === 'rsa-generated'))
          await admin('DELETE', `${path}/components/${old.id}`);
      },
    },
  };
}

async function fillRealm(admin: Admin, options: KeycloakOptions): Promise<void> {
  const users = ['alice', 'bob', 'carol'].map((username) => ({
    username,
    enabled: true,
    email: `${username}@example.com`,
    emailVerified: true,
    firstName: username,
    lastName: 'Test',
    groups: username === 'alice' ? ['/developers'] : [],
    realmRoles: username === 'alice' ? ['reviewer', 'offline_access'] : ['offline_access'],
    credentials: [{ type: 'password', value: `pw-${username}`, temporary: false }],
  }));
  const mapper = {
    name: 'groups',
    protocol: 'openid-connect',
    protocolMapper: 'oidc-group-membership-mapper',
    config: {
      'claim.name': 'groups',
      'full.path': 'true',
      'id.token.claim': 'true',
      'access.token.claim': 'true',
      'userinfo.token.claim': 'true',
    },
  };
  await admin('POST', '/admin/realms', {
    realm: REALM,
    enabled: true,
    sslRequired: 'NONE',
    accessTokenLifespan: options.accessTokenSeconds ?? 300,
    groups: [{ name: 'developers' }, { name: 'ops' }],
    roles: { realm: [{ name: 'reviewer' }] },
    users,
    clients: [
      {
        clientId: 'postern',
        secret: CLIENT_SECRET,
        publicClient: false,
        redirectUris: [`${options.signInUrl}/.postern/callback/keycloak`],
        attributes: {
          'post.logout.redirect.uris': `${options.signInUrl}/.postern/signed-out`,
          'backchannel.logout.url': `${options.backChannelUrl}/.postern/backchannel-logout`,
          'backchannel.logout.session.required': 'true',
        },
        protocolMappers: [mapper],
      },
    ],
  });
}

async function adminToken(base: string): Promise<{ value: string; until: number }> {
  const response = await fetch(`${base}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', username: ADMIN, password: ADMIN }),
  });
  const { access_token: value, expires_in: seconds } = (await response.json()) as Record<string, string & number>;
  return { value: value ?? '', until: Date.now() + ((seconds ?? 60) - 20) * 1_000 };
}

async function call(
  base: string,
  { method, path, body, token }: { method: string; path: string; body: unknown; token: string },
): Promise<unknown> {
  const response = await fetch(base + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot ${method} ${path}: Keycloak answered ${response.status} ${text}`);
  return text === '' ? null : (JSON.parse(text) as unknown);
}

async function answers(url: string, endedWith: () => string | null): Promise<void> {
  const isOver = createTimeLimit(START_MS);
  for (;;) {
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    const output = endedWith();
    if (output !== null || isOver()) throw new Error(`Cannot start Keycloak: ${output ?? `${START_MS} ms passed`}`);
    await new Promise((done) => {
      setTimeout(done, 300);
    });
  }
}
