/**
 * One Keycloak, one app and one certificate for all fronts; then for each front the auth program and the
 * real proxy before it. POSTERN_FRONTS_AUTH=oauth2-proxy tries the pages with the original instead.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CLIENT_SECRET, startKeycloak } from '../../support/keycloak.ts';
import type { Keycloak } from '../../support/keycloak.ts';
import { freePorts } from '../../support/free-ports.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import type { Program } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import { startApp } from './app.ts';
import type { App } from './app.ts';
import { blockOf, fillIn, parseEnv } from './page.ts';

const POSTERN = resolve(import.meta.dirname, '../../../bin/postern');
export const IS_ORIGINAL: boolean = process.env['POSTERN_FRONTS_AUTH'] === 'oauth2-proxy';

export interface World {
  readonly dir: string;
  readonly certificate: string;
  readonly key: string;
  readonly keycloak: Keycloak;
  readonly app: App;
  readonly close: () => Promise<void>;
}

export async function startWorld(): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-fronts-'));
  const certificate = join(dir, 'example.com.pem');
  const key = join(dir, 'example.com.key');
  const names = 'subjectAltName=DNS:example.com,DNS:*.example.com';
  const of = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', '/CN=example.com', '-days', '2'];
  const to = ['-nodes', '-addext', names, '-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', ...of, ...to], { stdio: 'ignore' });
  const app = await startApp();
  const keycloak = await startKeycloak({ signInUrl: 'https://app.example.com', backChannelUrl: 'http://127.0.0.1:9' });
  await keycloak.addToGroup('carol', 'ops');
  return {
    dir,
    certificate,
    key,
    keycloak,
    app,
    async close() {
      app.close();
      await keycloak.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What a front's configuration needs to know of this run. */
export interface Place {
  readonly dir: string;
  readonly port: number;
  /** "127.0.0.1:1234". */
  readonly auth: string;
  readonly world: World;
}

export interface Dialect {
  readonly name: string;
  readonly peers: readonly string[];
  /** Settings of this page besides those of the index. */
  readonly env: Readonly<Record<string, string>>;
  /** What a program that wants JSON gets, where it is not 401. */
  readonly jsonStatus?: number;
  /** The page pastes the visitor's address into "rd=" as it is. */
  readonly pastesAddress?: boolean;
  /** Its page stands in place of a 403; that of the original is the sign-in page, which signs out. */
  readonly refusesByPage?: boolean;
  /** Of two names of a host, it chooses by one and gives the app the other. */
  readonly handsHostOn?: boolean;
  /** oauth2-proxy ends in no page behind this front where `rd` is refused. */
  readonly originalLoops?: boolean;
  /** oauth2-proxy takes a visitor's own X-Forwarded-Uri behind this front. */
  readonly originalFailsOpen?: boolean;
  /** The sign-in page stands under the visitor's own address, and its script sees the part after "#". */
  readonly keepsFragment?: boolean;
  /** Whose /oauth2/ it is, where the app's own host has none. */
  readonly signOutHost?: string;
  /** It says whatever name the visitor came by, also `app.example.com.`. */
  readonly leadsFromDot?: boolean;
  /** Writes the configuration and answers the command. */
  readonly command: (place: Place) => readonly [program: string, ...args: string[]];
}

export interface Standing {
  readonly port: number;
  readonly url: (host: string, path?: string) => string;
  readonly stopAuth: () => Promise<void>;
  readonly startAuth: () => Promise<void>;
  readonly output: () => string;
  readonly close: () => Promise<void>;
}

export async function startDialect(world: World, dialect: Dialect): Promise<Standing> {
  const [port = 0, authPort = 0] = await freePorts(2);
  const dir = join(world.dir, dialect.name.replaceAll(/\W+/g, '-'));
  mkdirSync(dir);
  await allowCallbacks(world.keycloak, port);
  const env = { ...settingsOfIndex(world, authPort), ...dialect.env, OAUTH2_PROXY_SKIP_AUTH_ROUTES: '^/public/' };
  const command = IS_ORIGINAL
    ? (['oauth2-proxy'] as const)
    : ([POSTERN, 'forward-auth', '--data', join(dir, 'data')] as const);
  let auth: Program | null = null;
  const startAuth = async (): Promise<void> => {
    const [program, ...args] = command;
    auth = startProgram(program, args, env);
    await listens(auth, authPort, program);
    const ready = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${authPort}/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(ready, `${program} gets ready: ${auth.output()}`);
  };
  let front: Program | null = null;
  const close = async (): Promise<void> => {
    await front?.stop();
    await auth?.stop();
  };
  try {
    await startAuth();
    const [program, ...args] = dialect.command({ dir, port, auth: `127.0.0.1:${authPort}`, world });
    front = startProgram(program, args, { HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir });
    await listens(front, port, dialect.name);
    await answers(front, port, dialect.name);
  } catch (error) {
    // Left alone, they would keep the test's process alive.
    await close();
    throw error;
  }
  return {
    port,
    url: (host, path = '/') => `https://${host}.example.com:${port}${path}`,
    startAuth,
    async stopAuth() {
      await auth?.stop();
      auth = null;
    },
    output: () => `${dialect.name}:\n${front?.output() ?? ''}\nauth:\n${auth?.output() ?? 'stopped'}`,
    close,
  };
}

async function listens(program: Program, port: number, name: string): Promise<void> {
  await until(async () => {
    if (program.child.exitCode !== null) throw new Error(`Cannot start ${name}: ${program.output()}`);
    return accepts(port);
  }, `${name} listens on ${port}`);
}

/** Traefik listens before it has read its routes. */
async function answers(front: Program, port: number, name: string): Promise<void> {
  await until(async () => {
    const { status } = await createVisitor()
      .send(`https://app.example.com:${port}/`)
      .catch(() => ({ status: 0 }));
    return status !== 0 && status !== 404;
  }, `${name} answers: ${front.output()}`);
}

function settingsOfIndex(world: World, authPort: number): Record<string, string> {
  const block = fillIn(blockOf('README.md', 'Settings', 'sh'), {
    'https://id.example.com/realms/main': world.keycloak.issuer,
    'the-secret-of-the-client': CLIENT_SECRET,
    '32-bytes-as-openssl-rand-makes-it': '0123456789abcdef0123456789abcdef',
    // A whitelisted name without a port means the default port alone.
    'WHITELIST_DOMAINS=.example.com': 'WHITELIST_DOMAINS=.example.com:*',
    '127.0.0.1:4180': `127.0.0.1:${authPort}`,
  });
  return parseEnv(block);
}

async function allowCallbacks(keycloak: Keycloak, port: number): Promise<void> {
  const [client] = (await keycloak.admin('GET', '/clients?clientId=postern')) as Record<string, unknown>[];
  const redirectUris = ['app', 'wiki', 'admin', 'auth'].map(
    (name) => `https://${name}.example.com:${port}/oauth2/callback`,
  );
  await keycloak.admin('PUT', `/clients/${String(client?.['id'])}`, { ...client, redirectUris });
}

export function writeFile(dir: string, name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}
