/** Cookies: what they are called, where they go, how long they live, and how many sign-ins run at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { flow, login, one } from '../configuration.ts';
import { valueOf } from '../side.ts';
import type { Case, Configuration } from '../configuration.ts';
import type { Jar, Side } from '../side.ts';

const usual: readonly Case[] = [
  one('start', 'GET /oauth2/start?rd=%2Fx'),
  login('login', 'alice', '/oauth2/start?rd=%2Fx', ['GET /oauth2/auth', 'GET /oauth2/sign_in', 'GET /oauth2/auth']),
  one('sign-out', 'GET /oauth2/sign_out', { as: 'alice' }),
  one('bogus', 'GET /oauth2/auth', { headers: [['Cookie', '_oauth2_proxy=bogus; _front=bogus; __Host-front=bogus']] }),
];

const names = (jar: Jar): string => {
  const count = new Map<string, number>();
  for (const name of jar.keys()) {
    const kind = name.replace(/_[\w-]{8}_csrf$/, '_<request>_csrf');
    count.set(kind, (count.get(kind) ?? 0) + 1);
  }
  return [...count]
    .map(([name, many]) => `${name} x ${many}`)
    .sort()
    .join(', ');
};

/** Two sign-ins of one browser, begun before either has ended. */
async function twoTabs(side: Side): Promise<void> {
  const jar: Jar = new Map();
  const begin = async (rd: string): Promise<string> => {
    const start = await side.ask(`GET /oauth2/start?rd=${rd}`, { jar });
    return valueOf(start, 'location') ?? '';
  };
  const first = await begin('%2Ffirst');
  const second = await begin('%2Fsecond');
  side.noteFact('cookies after both starts', names(jar));
  await side.finish(first, 'alice', { jar, label: 'first' });
  await side.finish(second, 'alice', { jar, label: 'second' });
  side.noteFact('cookies at the end', names(jar));
}

export const cookieOptions: Configuration = {
  name: 'cookie-options',
  env: {
    COOKIE_NAME: '_front',
    COOKIE_DOMAINS: 'example.com,.app.example.com',
    COOKIE_PATH: '/deep',
    COOKIE_SAMESITE: 'strict',
    COOKIE_EXPIRE: '1h',
    COOKIE_SECURE: 'false',
    COOKIE_HTTPONLY: 'false',
    COOKIE_CSRF_SAMESITE: 'none',
    COOKIE_CSRF_EXPIRE: '5m',
  },
  cases: [
    ...usual,
    one('start-host-longer', 'GET /oauth2/start', { host: 'x.app.example.com' }),
    one('start-host-suffix', 'GET /oauth2/start', { host: 'evilexample.com' }),
    one('start-host-other', 'GET /oauth2/start', { host: 'other.test' }),
    one('start-host-port', 'GET /oauth2/start', { host: 'app.example.com:8443' }),
    one('start-host-upper', 'GET /oauth2/start', { host: 'APP.EXAMPLE.COM' }),
    flow('two-tabs', twoTabs),
  ],
};

export const cookieHostPrefix: Configuration = {
  name: 'cookie-host-prefix',
  env: { COOKIE_NAME: '__Host-front', COOKIE_SAMESITE: 'lax' },
  cases: usual,
};

export const cookiePerRequest: Configuration = {
  name: 'cookie-per-request',
  env: { COOKIE_CSRF_PER_REQUEST: 'true', COOKIE_CSRF_PER_REQUEST_LIMIT: '2' },
  cases: [
    ...usual,
    flow('two-tabs', twoTabs),
    flow('many-tabs', async (side) => {
      const jar: Jar = new Map();
      for (let tab = 0; tab < 5; tab++) await side.ask(`GET /oauth2/start?rd=%2F${tab}`, { jar });
      side.noteFact('cookies', names(jar));
    }),
  ],
};

export const cookieShort: Configuration = {
  name: 'cookie-short',
  env: { COOKIE_EXPIRE: '6s', COOKIE_CSRF_EXPIRE: '5s' },
  cases: [
    login('login', 'alice', '/oauth2/start?rd=%2Fx', ['GET /oauth2/auth']),
    flow('expired', async (side) => {
      const { jar } = await side.signIn('alice');
      await sleep(7_100);
      await side.ask('GET /oauth2/auth', { jar }, 'auth');
    }),
    flow('csrf-expired', async (side) => {
      const jar: Jar = new Map();
      const start = await side.ask('GET /oauth2/start?rd=%2Fx', { jar });
      await sleep(6_100);
      await side.finish(valueOf(start, 'location') ?? '', 'alice', { jar, label: 'late' });
    }),
  ],
};

/** The tokens are fetched anew as soon as they are five seconds old. */
export const cookieRefresh: Configuration = {
  name: 'cookie-refresh',
  env: { COOKIE_REFRESH: '5s', COOKIE_EXPIRE: '1h', PASS_ACCESS_TOKEN: 'true', SET_XAUTHREQUEST: 'true' },
  cases: [
    flow('refresh', async (side) => {
      const { jar } = await side.signIn('alice');
      await side.ask('GET /oauth2/auth', { jar }, 'young');
      await sleep(6_100);
      await side.ask('GET /oauth2/auth', { jar }, 'old');
      await side.ask('GET /oauth2/auth', { jar }, 'renewed');
    }),
  ],
};

/** No lifetime: the browser forgets them when it ends. */
export const cookieOfBrowser: Configuration = {
  name: 'cookie-of-browser',
  env: { COOKIE_EXPIRE: '0s', COOKIE_CSRF_EXPIRE: '0s' },
  cases: usual,
};

/** Groups by the hundred, so that a session does not fit into one cookie. */
export const cookieLarge: Configuration = {
  name: 'cookie-large',
  env: {},
  cases: [
    login('login', 'many', '/oauth2/start?rd=%2Fx', ['GET /oauth2/auth', 'GET /oauth2/sign_in']),
    flow('smaller-after-larger', async (side) => {
      const { jar } = await side.signIn('many');
      await side.signIn('alice', { jar, label: 'second' });
      await side.ask('GET /oauth2/auth', { jar }, 'auth');
    }),
  ],
};

/** Server-side sessions by the settings of the original: its own store for both. */
export const redis: Configuration = {
  name: 'redis',
  peers: ['redis-server'],
  env: { SESSION_STORE_TYPE: 'redis', REDIS_CONNECTION_URL: '{redis}' },
  cases: [
    ...usual,
    one('ready', 'GET /ready'),
    flow('sign-out-then-cookie', async (side) => {
      const { jar } = await side.signIn('alice');
      const kept = new Map(jar);
      await side.ask('GET /oauth2/sign_out', { jar }, 'sign out');
      await side.ask('GET /oauth2/auth', { jar: kept }, 'kept cookie');
    }),
    flow('login-twice', async (side) => {
      const { jar } = await side.signIn('alice');
      const first = ticketOf(jar);
      await side.signIn('bob', { jar });
      side.noteFact('ticket', ticketOf(jar) === first ? 'the same' : 'another');
      await side.ask('GET /oauth2/userinfo', { jar }, 'userinfo');
    }),
    flow('tampered', async (side) => {
      const { jar } = await side.signIn('alice');
      const value = jar.get('_oauth2_proxy') ?? '';
      await side.ask('GET /oauth2/auth', { headers: [['Cookie', `_oauth2_proxy=${value.slice(0, -2)}`]] }, 'cut');
      await side.ask('GET /oauth2/auth', { headers: [['Cookie', `_oauth2_proxy=x${value}`]] }, 'longer');
    }),
  ],
};

/** The ticket without the time and the signature around it. */
function ticketOf(jar: Jar): string {
  return (jar.get('_oauth2_proxy') ?? '').split('|')[0] ?? '';
}

/** The store goes away while somebody is signed in. */
export const redisDown: Configuration = {
  name: 'redis-down',
  peers: ['redis-server'],
  env: { SESSION_STORE_TYPE: 'redis', REDIS_CONNECTION_URL: '{redis}' },
  cases: [
    flow('down', async (side) => {
      const { jar } = await side.signIn('alice');
      const start = await side.ask('GET /oauth2/start?rd=%2Fx', { jar });
      await side.stopStore();
      const ask = (line: string): Promise<unknown> => side.ask(line, { jar: new Map(jar) }, line);
      for (const line of [
        'GET /oauth2/auth',
        'GET /x',
        'GET /oauth2/userinfo',
        'GET /oauth2/sign_out',
        'GET /ready',
        'GET /ping',
        'GET /oauth2/sign_in',
      ])
        await ask(line);
      await side.ask('GET /oauth2/auth', {}, 'stranger');
      await side.finish(valueOf(start, 'location') ?? '', 'alice', { jar, label: 'sign-in' });
    }),
  ],
};
