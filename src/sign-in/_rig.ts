/**
 * Sign-in with the real sessions, accounts and store, and browsers that keep cookies, all without a
 * socket. It plays the edge: our own paths to `handle`, an app page with a session, else `beginSignIn`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccounts } from '../session/accounts.ts';
import { createAttempts } from '../session/attempts.ts';
import { createFactors } from '../session/factors.ts';
import { createSealKey, sealJson, unsealJson } from '../session/seal.ts';
import { createSessions } from '../session/sessions.ts';
import { keyOfToken, sessionCookieName } from '../session/token.ts';
import { NO_PROVIDERS, type Providers } from './provider.ts';
import { refusedEntryOf } from './refused-entries.ts';
import { createSignIn, type SignIn } from './router.ts';
import { isUnder } from './cookies.ts';
import { openStore } from '../store/sqlite.ts';
import { POSTERN_BRAND } from './pages/brand.ts';
import type { Clock } from '../core/clock.ts';
import type { Accounts } from '../session/accounts.ts';
import type { Sessions } from '../session/sessions.ts';
import type {
  Admit,
  EntryDecision,
  EntryFacts,
  SessionFacts,
  SignInDeps,
  SignInEvent,
  SignInHashPool,
  RefusedEntry,
} from './ports.ts';

export const AUTH = 'https://auth.example.com';
export const APP = 'https://app.example.com';
export const OTHER = 'https://other.example.net:8443';

/** Fast and transparent; the real one has its own tests and one here. */
const quickPool: SignInHashPool = {
  verify: (hash, password) => Promise.resolve(hash === `$argon2id$${password}` ? 'ok' : 'wrong'),
  hash: (password) => Promise.resolve({ kind: 'hash', hash: `$argon2id$${password}` }),
};

export interface RigOptions {
  readonly cookieDomain?: string;
  readonly hashPool?: SignInHashPool;
  readonly mayEnter?: (facts: EntryFacts) => EntryDecision;
  readonly listed?: readonly string[];
  readonly hasLocalAccounts?: boolean;
  readonly keepsFragment?: boolean;
  readonly provider?: string;
  readonly providers?: (clock: Clock) => Providers;
  readonly providerFor?: (host: string, path: string) => string | null;
  readonly admit?: (sessions: Sessions) => Admit;
  /** Keys of sign-ins whose tokens have ended, for apps that ask for them. */
  readonly lacksTokens?: (key: string, path: string) => boolean;
}

export interface Rig {
  readonly signIn: SignIn;
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly deps: SignInDeps;
  readonly events: SignInEvent[];
  readonly entries: EntryFacts[];
  readonly instance: string;
  readonly advance: (ms: number) => void;
  readonly browser: () => Browser;
  /** A reload takes the local accounts away, with the sessions that are there. */
  readonly takeLocalAccountsAway: () => Promise<void>;
  /** Forgets all that is not in the store. */
  readonly restart: () => unknown;
  readonly addAccount: (name: string, password: string, groups?: readonly string[]) => Promise<string>;
  readonly close: () => void;
}

const DAY_MS = 86_400_000;

/**
 * Providers and their tokens have the real clock. The sessions' is ahead of it whatever the day, so that what a
 * provider puts off by its own is due here; a fixed moment would be so only until it has come.
 */
function aheadOfReal(): number {
  return (Math.ceil(Date.now() / DAY_MS) + 48) * DAY_MS;
}

// oxlint-disable-next-line max-lines-per-function -- a rig lists what it joins
export function createRig(options: RigOptions = {}): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'postern-sign-in-'));
  const store = openStore(folder);
  const sealKey = createSealKey(store.sealKey);
  let now = aheadOfReal();
  const clock = { now: () => now };
  const lifetimeMs = 12 * 3_600_000;
  const sessions = createSessions({
    store: store.sessions,
    clock,
    sealKey,
    limits: () => ({ lifetimeMs, idleMs: lifetimeMs }),
  });
  let hasLocalAccounts = options.hasLocalAccounts ?? true;
  const isOffered = (): boolean => hasLocalAccounts;
  const accounts = createAccounts({ store: store.accounts, sessions, clock, provider: 'local', isOffered });
  const events: SignInEvent[] = [];
  const entries: EntryFacts[] = [];
  const listed = options.listed ?? [AUTH, APP, OTHER].map((origin) => new URL(origin).hostname);
  const cookieDomain = options.cookieDomain ?? null;
  const deps: SignInDeps = {
    sessions,
    accounts,
    attempts: createAttempts({ clock }),
    factors: createFactors({ store: store.factors, clock, sealKey }),
    hashPool: options.hashPool ?? quickPool,
    seal: {
      seal: (purpose, value) => sealJson(sealKey, purpose, value),
      unseal: (purpose, text) => unsealJson(sealKey, purpose, text),
    },
    clock,
    instance: store.instance,
    settings: () => ({
      signInUrl: AUTH,
      lifetimeMs,
      cookieDomain,
      brand: POSTERN_BRAND,
      hasLocalAccounts,
      keepsFragment: options.keepsFragment ?? false,
      provider: options.provider ?? null,
    }),
    providers: options.providers?.(clock) ?? NO_PROVIDERS,
    admit: options.admit?.(sessions) ?? ((_, person) => Promise.resolve({ kind: 'person', person, notes: [] })),
    ...(options.providerFor === undefined ? {} : { providerFor: options.providerFor }),
    lacksTokens: (key, { path }) => Promise.resolve(options.lacksTokens?.(key, path) ?? false),
    isListedHost: (host) => listed.includes(host),
    mayEnter: (facts) => {
      entries.push(facts);
      return options.mayEnter?.(facts) ?? { kind: 'allow' };
    },
    report: (event) => events.push(event),
  };
  const signIn = createSignIn(deps);
  const world: World = { signIn, sessions, instance: store.instance, cookieDomain, now: () => now };
  return {
    signIn,
    sessions,
    accounts,
    deps,
    events,
    entries,
    instance: store.instance,
    advance: (ms) => (now += ms),
    browser: () => new Browser(world),
    async takeLocalAccountsAway() {
      hasLocalAccounts = false;
      await sessions.revokeStrangers((provider) => provider !== 'local');
    },
    restart: () => (world.signIn = createSignIn(deps)),
    async addAccount(name, password, groups = []) {
      const added = await accounts.add({ name, groups }, 'test');
      if (added.kind !== 'added') throw new Error(`Cannot add "${name}": ${added.kind}`);
      const { subject } = added.account;
      const made = await deps.hashPool.hash(password, 'test');
      if (made.kind === 'hash') await accounts.setPassword(subject, made.hash, 'test');
      return subject;
    },
    close() {
      store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Once, when it is proved who comes, and before their session is written. */
export function beforeOpening({ sessions }: Pick<Rig, 'sessions'>, work: () => Promise<void>): void {
  const open = sessions.openSignIn.bind(sessions);
  sessions.openSignIn = async (...args) => {
    sessions.openSignIn = open;
    await work();
    return open(...args);
  };
}

interface World {
  signIn: SignIn;
  readonly sessions: Sessions;
  readonly instance: string;
  readonly cookieDomain: string | null;
  readonly now: () => number;
}

interface JarCookie {
  readonly name: string;
  readonly value: string;
  /** With a leading dot for domain cookies. */
  readonly domain: string;
  readonly line: string;
}

export interface SendOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly ip?: string | null;
}

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly setCookies: readonly string[];
  readonly text: string;
  /** What its line in the log is about. */
  readonly refused?: RefusedEntry | null;
}

const NAVIGATION = {
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
};

export class Browser {
  readonly jar: JarCookie[] = [];
  /** URLs of the last `follow`, in order. */
  trail: string[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  cookieHeader(url: string): string {
    const host = new URL(url).hostname;
    const sent = this.jar.filter((it) => (it.domain.startsWith('.') ? isUnder(host, it.domain) : it.domain === host));
    return sent.map((it) => `${it.name}=${it.value}`).join('; ');
  }

  plant(host: string, name: string, value: string): void {
    this.jar.push({ name, value, domain: host, line: '' });
  }

  /** One request as the edge would hand it on; redirects are not followed. */
  async send(url: string, options: SendOptions = {}): Promise<Page> {
    const target = url.replace(/#.*$/, '');
    const path = /^https?:\/\/[^/]*(\/[^?]*)?/.exec(target)?.[1] ?? '/';
    const host = new URL(target).hostname;
    const cookie = this.cookieHeader(target);
    const body =
      options.form === undefined ? null : new TextEncoder().encode(new URLSearchParams(options.form).toString());
    const fields = {
      ...(cookie === '' ? {} : { cookie }),
      ...(options.form === undefined
        ? NAVIGATION
        : {
            ...NAVIGATION,
            'sec-fetch-site': 'same-origin',
            origin: new URL(target).origin,
            'content-type': 'application/x-www-form-urlencoded',
          }),
      ...options.headers,
    };
    const onSignInHost = host === new URL(AUTH).hostname;
    const session = await this.#session(host);
    const request = {
      method: options.method ?? (options.form === undefined ? 'GET' : 'POST'),
      url: target,
      headers: Object.entries(fields).filter(([, value]) => value !== ''),
      body,
      ip: options.ip === undefined ? '192.0.2.10' : options.ip,
      requestId: 'req-1',
      session,
      onSignInHost,
    };
    const isOwn = onSignInHost || path.startsWith('/.postern/');
    if (!isOwn && session !== null) return appPage(target, session);
    const response = isOwn ? await this.#world.signIn.handle(request) : await this.#world.signIn.beginSignIn(request);
    const setCookies = response.headers.getSetCookie();
    for (const line of setCookies) this.#keep(host, line);
    const { status, headers } = response;
    const refused = refusedEntryOf(response);
    return { url: target, status, headers, setCookies, text: await response.text(), refused };
  }

  async open(url: string, options: SendOptions = {}): Promise<Page> {
    return this.follow(await this.send(url, options));
  }

  async follow(first: Page): Promise<Page> {
    let page = first;
    this.trail = [page.url];
    for (let hops = 0; page.headers.has('location'); hops++) {
      if (hops === 20) throw new Error(`Cannot follow: more than 20 redirects, last from ${page.url}`);
      const location = page.headers.get('location') ?? '';
      page = await this.send(location.startsWith('/') ? new URL(page.url).origin + location : location);
      this.trail.push(page.url);
    }
    return page;
  }

  /** Sends the page's form as it is, with these fields. */
  async submit(page: Page, fields: Readonly<Record<string, string>>, options: SendOptions = {}): Promise<Page> {
    const action = /<form method="post" action="([^"]+)"/.exec(page.text)?.[1];
    if (action === undefined) throw new Error(`Cannot submit: no form on ${page.url} (${page.status})`);
    return this.send(new URL(page.url).origin + action, { form: { ...hiddenFields(page), ...fields }, ...options });
  }

  async signInOn(page: Page, name: string, password: string): Promise<Page> {
    return this.follow(await this.submit(page, { name, password }));
  }

  sessionToken(origin: string): string | undefined {
    const host = new URL(origin).hostname;
    return this.jar.find((it) => it.domain.replace(/^\./, '') === host && it.name === this.#sessionName(host))?.value;
  }

  #sessionName(host: string): string {
    const { instance, cookieDomain } = this.#world;
    const domain = cookieDomain !== null && isUnder(host, cookieDomain) ? cookieDomain : null;
    return sessionCookieName(instance, { secure: true, domain });
  }

  async #session(host: string): Promise<SessionFacts | null> {
    const name = this.#sessionName(host);
    const values = this.cookieHeader(`https://${host}`)
      .split('; ')
      .filter((pair) => pair.startsWith(`${name}=`));
    if (values.length !== 1) return null;
    const answer = await this.#world.sessions.find(keyOfToken((values[0] ?? '').slice(name.length + 1)));
    if (answer.kind !== 'found') return null;
    const isHere = answer.session.host === host || name.startsWith('__Secure-');
    return isHere ? answer.session : null;
  }

  #keep(host: string, line: string): void {
    const [pair = '', ...attributes] = line.split('; ');
    const name = pair.slice(0, pair.indexOf('='));
    const value = pair.slice(pair.indexOf('=') + 1);
    const domain = attributes.find((it) => it.startsWith('Domain='))?.slice('Domain='.length);
    const key = domain === undefined ? host : `.${domain}`;
    const at = this.jar.findIndex((it) => it.name === name && it.domain === key);
    if (at !== -1) this.jar.splice(at, 1);
    if (!attributes.includes('Max-Age=0')) this.jar.push({ name, value, domain: key, line });
  }
}

export function hiddenFields(page: Page): Record<string, string> {
  return Object.fromEntries(
    [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}

function appPage(url: string, session: SessionFacts): Page {
  return { url, status: 200, headers: new Headers(), setCookies: [], text: `app for ${session.person.name}` };
}
