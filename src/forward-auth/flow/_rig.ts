/**
 * The flow without a socket: a provider that signs in whom a test says, a keeper in memory, browsers with
 * jars that follow RFC 6265. A browser's request is judged as one that a trusted front proxy passed on.
 */
import { randomBytes } from 'node:crypto';
import { hash } from 'node:crypto';
import type { Exchange } from '../../wire/exchange.ts';
import { cookieValues } from '../../wire/cookies.ts';
import { HeaderBlock } from '../../wire/header-block.ts';
import { NO_SESSION, type AuthSession } from '../auth-session.ts';
import { createCookieText, isWithinDomain } from '../cookie-text.ts';
import type { FrontRequest } from '../front-request.ts';
import { createHeardHere } from '../keepers/heard-here.ts';
import type { PageTemplates } from '../pages/custom-pages.ts';
import type { AuthProvider, Flow, LoginWish, ProviderAnswer, RedeemWish, SessionKeeper } from '../ports.ts';
import { settingsWith, type DeepPartial } from '../settings-fixture.ts';
import type { Settings } from '../settings.ts';
import type { FlowEvent, Verdict } from './deps.ts';
import { createFlow } from './flow.ts';

export const ALICE: AuthSession = {
  ...NO_SESSION,
  user: 'u-alice',
  email: 'alice@example.com',
  groups: ['/developers'],
  accessToken: 'access-alice',
  idToken: 'id-alice',
};

export interface Answer {
  readonly status: number;
  readonly headers: HeaderBlock;
  readonly body: string;
  readonly location: string | null;
  readonly cookies: readonly string[];
}

export interface Wish {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly isForwarded?: boolean;
  readonly session?: AuthSession | null;
  /** The app's page in place of an endpoint. */
  readonly asks?: boolean;
}

export interface Browser {
  readonly open: (url: string, wish?: Wish) => Promise<Answer>;
  /** From start to the provider's answer, then back: `account` null: the provider says no. */
  readonly signIn: (url: string, account?: AuthSession | null) => Promise<Answer>;
  readonly plant: (setCookie: string, host: string) => void;
  readonly cookies: (host: string, path?: string) => readonly string[];
}

export interface Rig {
  readonly flow: Flow;
  readonly settings: Settings;
  readonly events: FlowEvent[];
  readonly wishes: LoginWish[];
  readonly redeemed: RedeemWish[];
  readonly backend: string[];
  /** Codes that the provider takes. */
  readonly codes: Map<string, AuthSession>;
  readonly sessions: Map<string, AuthSession>;
  readonly advance: (ms: number) => void;
  readonly browser: () => Browser;
}

export interface RigOptions {
  readonly settings?: DeepPartial<Settings>;
  readonly judge?: (session: AuthSession) => Verdict;
  readonly passwords?: Readonly<Record<string, string>>;
  readonly provider?: Partial<AuthProvider>;
  readonly keeper?: Partial<SessionKeeper>;
  /** Once the provider has given its tokens, and before the session is kept. */
  readonly beforeOpening?: () => Promise<void>;
  readonly callProvider?: (url: string) => Promise<number>;
  readonly templates?: PageTemplates;
}

export const START: number = Date.UTC(2026, 0, 2, 3, 4, 5);
export const APP = 'https://app.example.com';

/** Logout tokens are "sid=…", "sub=…" or both, and an id. */
export const LOGOUT_TOKENS: Partial<AuthProvider> = {
  readLogoutToken(token) {
    if (token === 'down') return Promise.resolve({ kind: 'unavailable', message: 'timeout' });
    const [, claims = '', id] = /^((?:(?:sid|sub)=[\w-]+&?)+)#(\w+)$/.exec(token) ?? [];
    if (id === undefined) return Promise.resolve({ kind: 'refused', message: 'bad signature' });
    const said = new URLSearchParams(claims);
    const value = { subject: said.get('sub'), providerSession: said.get('sid'), issuedAt: START, id };
    return Promise.resolve({ kind: 'ok', value });
  },
  authTimeOf: ({ claims }) => (typeof claims['auth_time'] === 'number' ? claims['auth_time'] : null),
};

export const logOut = (rig: Rig, token: string): Promise<Answer> =>
  rig.browser().open(`${APP}/oauth2/backchannel-logout`, { body: `logout_token=${encodeURIComponent(token)}` });

const PROVIDER_URL = 'https://id.example.net/authorize';

export function createRig(options: RigOptions = {}): Rig {
  let now = START;
  const clock = { now: () => now };
  const settings = settingsWith(BASE, options.settings ?? {});
  const events: FlowEvent[] = [];
  const wishes: LoginWish[] = [];
  const redeemed: RedeemWish[] = [];
  const backend: string[] = [];
  const codes = new Map<string, AuthSession>();
  const sessions = new Map<string, AuthSession>();
  const passwords = options.passwords;
  const flow = createFlow({
    settings,
    clock,
    keeper: { ...memoryKeeper(settings, sessions, options.beforeOpening), ...options.keeper },
    provider: { ...fakeProvider({ wishes, redeemed, codes }), ...options.provider },
    admission: { judge: options.judge ?? (() => ({ kind: 'admitted' })) },
    passwords:
      passwords === undefined
        ? null
        : { verify: (user, password) => Promise.resolve(passwords[user] === password ? 'ok' : 'wrong') },
    ender: {
      byProviderSession: (id) => endWhere(sessions, (session) => session.providerSession === id),
      bySubject: (id) => endWhere(sessions, (session) => session.user === id),
      unnamed: (id) => endWhere(sessions, (session) => session.user === id && session.providerSession === ''),
    },
    logouts: createHeardHere(settings, clock),
    logo: { kind: 'own' },
    ...(options.templates !== undefined && { templates: options.templates }),
    callProvider:
      options.callProvider ??
      ((url) => {
        backend.push(url);
        return Promise.resolve(200);
      }),
    report: (event) => events.push(event),
  });
  const rig = {
    flow,
    settings,
    events,
    wishes,
    redeemed,
    backend,
    codes,
    sessions,
    advance: (ms: number) => void (now += ms),
  };
  return { ...rig, browser: () => createBrowser(rig, clock) };
}

type Served = Omit<Rig, 'browser'>;

interface Crumb {
  readonly name: string;
  readonly value: string;
  /** Null: of exactly this host. */
  readonly domain: string | null;
  readonly host: string;
  readonly path: string;
  readonly until: number;
}

function createBrowser(rig: Served, clock: { now: () => number }): Browser {
  let jar: Crumb[] = [];
  const plant = (text: string, host: string): void => {
    const crumb = parseSetCookie(text, host, clock.now());
    if (crumb.domain !== null && !isWithinDomain(host, crumb.domain)) return;
    const isSame = (one: Crumb): boolean =>
      one.name === crumb.name &&
      one.path === crumb.path &&
      (one.domain ?? one.host) === (crumb.domain ?? crumb.host) &&
      (one.domain === null) === (crumb.domain === null);
    jar = jar.filter((one) => !isSame(one));
    if (crumb.until > clock.now()) jar.push(crumb);
  };
  const cookies = (host: string, path = '/'): string[] =>
    jar
      .filter((one) => one.until > clock.now() && path.startsWith(one.path))
      .filter((one) => (one.domain === null ? one.host === host : isWithinDomain(host, one.domain)))
      .sort((one, other) => other.path.length - one.path.length)
      .map((one) => `${one.name}=${one.value}`);
  const open = async (url: string, wish: Wish = {}): Promise<Answer> => {
    const { host } = splitUrl(url);
    const answer = await ask(rig, url, cookies(host.replace(/:\d+$/, ''), splitUrl(url).target), wish);
    for (const text of answer.cookies) plant(text, host.replace(/:\d+$/, ''));
    return answer;
  };
  const signIn = async (url: string, account: AuthSession | null = ALICE): Promise<Answer> => {
    const away = await open(url);
    return open(answerOfProvider(rig, away.location ?? '', account));
  };
  return { open, signIn, plant, cookies };
}

/** Where the provider sends a browser that came with `location`. */
export function answerOfProvider(rig: Pick<Rig, 'codes'>, location: string, account: AuthSession | null): string {
  const asked = new URL(location).searchParams;
  const back = new URL(asked.get('redirect_uri') ?? '');
  back.searchParams.set('state', asked.get('state') ?? '');
  if (account === null) back.searchParams.set('error', 'access_denied');
  else {
    const code = randomBytes(9).toString('base64url');
    rig.codes.set(code, {
      ...account,
      nonce: asked.get('nonce') ?? '',
      claims: { ...account.claims, challenge: asked.get('code_challenge') },
    });
    back.searchParams.set('code', code);
  }
  return back.href;
}

function splitUrl(url: string): { scheme: 'http' | 'https'; host: string; target: string } {
  const [, scheme = '', host = '', target = ''] = /^(https?):\/\/([^/]+)([^]*)$/.exec(url) ?? [];
  return { scheme: scheme as 'http' | 'https', host, target: target === '' ? '/' : target };
}

function ask(rig: Served, url: string, cookies: readonly string[], wish: Wish): Promise<Answer> {
  const { scheme, host, target } = splitUrl(url);
  const headers = HeaderBlock.from(wish.headers ?? {});
  if (cookies.length > 0) headers.append('Cookie', cookies.join('; '));
  if (wish.body !== undefined && !headers.has('content-type'))
    headers.append('Content-Type', 'application/x-www-form-urlencoded');
  return new Promise((resolve) => {
    const mark = target.indexOf('?');
    const path = mark === -1 ? target : target.slice(0, mark);
    const exchange = fakeExchange(
      {
        method: wish.method ?? (wish.body === undefined ? 'GET' : 'POST'),
        path,
        query: mark === -1 ? '' : target.slice(mark),
        host,
        headers,
        body: wish.body ?? '',
      },
      resolve,
    );
    const uri = headers.get('x-forwarded-uri') ?? target;
    const said = wish.isForwarded === true ? headers.get('x-forwarded-host') : undefined;
    const isDotted = said?.endsWith('.') === true;
    const request: FrontRequest = {
      exchange,
      id: 'req-1234567',
      isForwarded: wish.isForwarded ?? false,
      scheme,
      saidScheme: wish.isForwarded === true && headers.get('x-forwarded-proto') === scheme ? scheme : null,
      authority: isDotted ? host : (said ?? host),
      dotless: isDotted ? said.slice(0, -1) : null,
      uri: wish.isForwarded === true ? uri : target,
      ownUri: target,
      clientIp: '203.0.113.7',
    };
    dispatch(rig, request, path, wish).catch((error: unknown) => resolve(broken(error)));
  });
}

function broken(error: unknown): Answer {
  return { status: -1, headers: new HeaderBlock(), body: String(error), location: null, cookies: [] };
}

function dispatch(
  { flow, sessions, settings }: Served,
  request: FrontRequest,
  path: string,
  wish: Wish,
): Promise<void> {
  const { prefix } = settings.paths;
  if (wish.asks === true) return flow.askToSignIn(request);
  if (path === `${prefix}/start`) return flow.start(request);
  if (path === `${prefix}/sign_in`) return flow.signIn(request);
  if (path === `${prefix}/callback`) return flow.callback(request);
  if (path === `${prefix}/backchannel-logout`) return flow.backChannelLogout(request);
  if (path === `${prefix}/sign_out`) {
    const [id = ''] = cookieValues(request.exchange.request.headers, settings.cookie.name);
    return flow.signOut(request, wish.session ?? sessions.get(id) ?? null);
  }
  flow.sendStatic(request);
  return Promise.resolve();
}

interface FakeHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly host: string;
  readonly headers: HeaderBlock;
  readonly body: string;
}

function fakeExchange({ body, host, ...head }: FakeHead, done: (answer: Answer) => void): Exchange {
  const bytes = Buffer.from(body);
  const [name = '', port] = host.split(':');
  return {
    request: { ...head, host: name, port: port === undefined ? null : Number(port) },
    body: {
      length: bytes.length,
      start: (sink: { write: (chunk: Buffer) => boolean; end: (trailers: null) => void }) => {
        sink.write(bytes);
        sink.end(null);
      },
      resume: () => {},
      cancel: () => {},
    },
    respondWhole: ({ status, headers }: { status: number; headers: HeaderBlock }, text: Buffer | string) =>
      done({
        status,
        headers,
        body: String(text),
        location: headers.get('location') ?? null,
        cookies: headers.getAll('set-cookie'),
      }),
  } as unknown as Exchange;
}

function parseSetCookie(text: string, host: string, now: number): Crumb {
  const [pair = '', ...attributes] = text.split('; ');
  const equals = pair.indexOf('=');
  const get = (name: string): string | undefined =>
    attributes.find((one) => one.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  const age = get('max-age');
  return {
    name: pair.slice(0, equals),
    value: pair.slice(equals + 1),
    domain: get('domain') ?? null,
    host,
    path: get('path') ?? '/',
    until: age === undefined ? Number.POSITIVE_INFINITY : now + Number(age) * 1_000,
  };
}

function endWhere(sessions: Map<string, AuthSession>, isMeant: (session: AuthSession) => boolean): Promise<number> {
  const ids = [...sessions].filter(([, session]) => isMeant(session)).map(([id]) => id);
  for (const id of ids) sessions.delete(id);
  return Promise.resolve(ids.length);
}

/** As the embedded store: an opaque id; what the browser brought ends at each sign-in. */
function memoryKeeper(
  settings: Settings,
  sessions: Map<string, AuthSession>,
  beforeOpening: () => Promise<void> = () => Promise.resolve(),
): SessionKeeper {
  const { name } = settings.cookie;
  const text = createCookieText(settings.cookie);
  const idOf = (headers: HeaderBlock): string | undefined => cookieValues(headers, name)[0];
  return {
    find(headers) {
      const id = idOf(headers);
      const session = id === undefined ? undefined : sessions.get(id);
      return session === undefined || id === undefined
        ? { kind: 'absent', hadCookie: id !== undefined }
        : { kind: 'found', session, handle: id };
    },
    async open(session, { host }, headers) {
      await beforeOpening();
      sessions.delete(idOf(headers) ?? '');
      const id = randomBytes(32).toString('base64url');
      sessions.set(id, session);
      return [text.session(name, id, host, settings.cookie.expireMs)];
    },
    replace: () => Promise.resolve([]),
    end(headers, { host }) {
      sessions.delete(idOf(headers) ?? '');
      return Promise.resolve([text.session(name, '', host, 0)]);
    },
    clear: (headers, { host }) => (idOf(headers) === undefined ? [] : [text.session(name, '', host, 0)]),
    once: (_, work) => work(),
    isReady: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
}

interface FakeProviderDeps {
  readonly wishes: LoginWish[];
  readonly redeemed: RedeemWish[];
  readonly codes: Map<string, AuthSession>;
}

/** Keeps to RFC 6749 and 7636: a code works once, with its redirect URI and verifier. */
function fakeProvider({ wishes, redeemed, codes }: FakeProviderDeps): AuthProvider {
  return {
    displayName: 'Example ID',
    isReady: () => true,
    codeChallengeMethod: () => 'S256',
    usesNonce: true,
    loginUrl(wish) {
      wishes.push(wish);
      const url = new URL(PROVIDER_URL);
      url.searchParams.set('redirect_uri', wish.redirectUri);
      url.searchParams.set('state', wish.state);
      if (wish.nonce !== null) url.searchParams.set('nonce', wish.nonce);
      if (wish.codeChallenge !== null) url.searchParams.set('code_challenge', wish.codeChallenge.challenge);
      return Promise.resolve({ kind: 'ok', value: url.href });
    },
    redeem(wish): Promise<ProviderAnswer<AuthSession>> {
      redeemed.push(wish);
      const session = codes.get(wish.code);
      codes.delete(wish.code);
      const challenge = hash('sha256', wish.codeVerifier ?? '', 'base64url');
      if (session === undefined || session.claims['challenge'] !== challenge || session.nonce !== wish.nonce)
        return Promise.resolve({ kind: 'refused', message: 'invalid_grant' });
      return Promise.resolve({ kind: 'ok', value: session });
    },
    refresh: () => Promise.resolve({ kind: 'ok', value: null }),
    validate: () => Promise.resolve({ kind: 'ok', value: true }),
    authorizes: () => true,
    verifyBearer: () => Promise.resolve(null),
    close: () => {},
  };
}

/** The flow is about browsers over HTTPS; its provider is no OpenID one unless a test says so. */
const BASE: DeepPartial<Settings> = { cookie: { secure: true }, provider: { oidc: { issuer: null } } };
