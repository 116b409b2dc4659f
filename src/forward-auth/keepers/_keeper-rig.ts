/** Settings, sessions and a browser for tests of keepers. */
import { HeaderBlock } from '../../wire/header-block.ts';
import { NO_SESSION } from '../auth-session.ts';
import type { AuthSession } from '../auth-session.ts';
import type { Found, SessionKeeper } from '../ports.ts';
import type { CookieSettings, ProviderSettings, RedisSettings } from '../settings.ts';
import type { KeySettings } from './session-key.ts';

export const HOUR = 3_600_000;
export const START = 1_800_000_000_000;
export const PLACE = { host: 'app.example.com' };
export const NAME = '_oauth2_proxy';

export class FakeClock {
  at: number = START;
  readonly now = (): number => this.at;
  advance(ms: number): void {
    this.at += ms;
  }
}

export class FakeSecret {
  bytes: Buffer = Buffer.from('0123456789abcdef0123456789abcdef');
  readonly read = (): Buffer => this.bytes;
}

export interface SettingsOver {
  readonly cookie?: Partial<CookieSettings>;
  readonly secret?: FakeSecret;
  readonly issuer?: string;
}

export function makeSettings({ cookie, secret = new FakeSecret(), issuer }: SettingsOver = {}): KeySettings {
  return {
    cookie: {
      name: NAME,
      secret,
      domains: [],
      path: '/',
      expireMs: 168 * HOUR,
      refreshMs: 0,
      secure: true,
      httpOnly: true,
      sameSite: 'lax',
      csrfPerRequest: false,
      csrfPerRequestLimit: 0,
      csrfExpireMs: 900_000,
      csrfSameSite: '',
      ...cookie,
    },
    provider: {
      kind: 'oidc',
      loginUrl: null,
      oidc: { issuer: issuer ?? 'https://id.example.com' },
    } as unknown as ProviderSettings,
  };
}

export function redisSettings(over: Partial<RedisSettings>): RedisSettings {
  return {
    url: null,
    username: null,
    password: null,
    sentinel: null,
    clusterUrls: null,
    caFile: null,
    skipTlsVerify: false,
    ...over,
  };
}

export function makeSession(over: Partial<AuthSession> = {}): AuthSession {
  return {
    ...NO_SESSION,
    createdAt: START,
    expiresOn: START + HOUR,
    user: 'subject-1',
    email: 'ada@example.com',
    groups: ['/developers', 'ops'],
    preferredUsername: 'ada',
    accessToken: 'access.token.1',
    idToken: 'id.token.1',
    refreshToken: 'refresh-1',
    claims: { tier: 'gold' },
    providerSession: 'sid-1',
    ...over,
  };
}

/** Keeps cookies as a browser does: by name, for one host. */
export class Browser {
  readonly cookies: Map<string, string> = new Map();

  take(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/; Max-Age=0(;|$)/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }

  get line(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  get headers(): HeaderBlock {
    return headersOf(...(this.cookies.size === 0 ? [] : [this.line]));
  }
}

export function headersOf(...lines: readonly string[]): HeaderBlock {
  return HeaderBlock.from({ Host: 'app.example.com', Cookie: lines });
}

export async function kindOf(keeper: SessionKeeper, headers: HeaderBlock): Promise<string> {
  const found = await keeper.find(headers);
  return found.kind === 'absent' && found.hadCookie ? PRESENT : found.kind;
}

export async function foundOf(keeper: SessionKeeper, headers: HeaderBlock): Promise<Extract<Found, { kind: 'found' }>> {
  const found = await keeper.find(headers);
  if (found.kind !== 'found') throw new Error(`Cannot go on: the session is ${found.kind}`);
  return found;
}

export async function signIn(keeper: SessionKeeper, session: AuthSession = makeSession()): Promise<Browser> {
  const browser = new Browser();
  browser.take(await keeper.open(session, PLACE, browser.headers));
  return browser;
}

/** What came counts as no session. */
export const PRESENT = 'absent, had a cookie';
