/** Machines with tokens of the provider, of other issuers, and of nobody. */
import { flow } from '../configuration.ts';
import type { Case, Configuration } from '../configuration.ts';
import type { Field } from '../raw-client.ts';
import type { Side } from '../side.ts';

type Credential = (side: Side) => string;

const bearer: (claims?: Readonly<Record<string, unknown>>, person?: string) => Credential =
  (claims = {}, person = 'alice') =>
  (side) =>
    `Bearer ${side.idToken(person, claims)}`;
const basic: (user: string, password: string) => Credential = (user, password) => (side) => {
  const fill = (text: string): string => text.replace('JWT', side.idToken('alice'));
  return `Basic ${Buffer.from(`${fill(user)}:${fill(password)}`).toString('base64')}`;
};

const now = (): number => Math.floor(Date.now() / 1_000);

const credentials: readonly (readonly [id: string, credential: Credential])[] = [
  ['good', bearer()],
  ['no-mail', bearer({}, 'nomail')],
  ['unverified', bearer({}, 'unverified')],
  ['other-audience', bearer({ aud: 'another' })],
  ['several-audiences', bearer({ aud: ['another', 'front-door'] })],
  ['extra-audience', bearer({ aud: 'machines' })],
  ['expired', bearer({ exp: 1 })],
  ['expired-just-now', (side) => `Bearer ${side.idToken('alice', { exp: now() - 1 })}`],
  ['not-yet', (side) => `Bearer ${side.idToken('alice', { nbf: now() + 900 })}`],
  ['other-issuer', bearer({ iss: 'https://elsewhere.test' })],
  ['no-expiry', bearer({ exp: undefined })],
  ['cut', (side) => bearer()(side).slice(0, -4)],
  ['no-signature', (side) => `${bearer()(side).split('.').slice(0, 2).join('.')}.`],
  ['opaque', () => 'Bearer abcdef'],
  ['like-a-jwt', () => 'Bearer eyJhIjox.eyJhIjox.eyJhIjox'],
  ['lower-scheme', (side) => bearer()(side).replace('Bearer', 'bearer')],
  ['two-spaces', (side) => bearer()(side).replace(' ', '  ')],
  ['token-scheme', (side) => bearer()(side).replace('Bearer', 'Token')],
  ['basic-user', basic('JWT', '')],
  ['basic-user-oauth', basic('JWT', 'x-oauth-basic')],
  ['basic-password', basic('anybody', 'JWT')],
  ['basic-user-other', basic('JWT', 'secret')],
  ['basic-plain', basic('a', 'b')],
];

const cases: readonly Case[] = [
  ...credentials.map(([id, credential]) =>
    flow(id, async (side) => {
      const headers: readonly Field[] = [['Authorization', credential(side)]];
      await side.ask('GET /oauth2/auth', { headers }, 'auth');
      await side.ask('GET /x', { headers }, 'application');
    }),
  ),
  flow('good-userinfo', async (side) => {
    await side.ask('GET /oauth2/userinfo', { headers: [['Authorization', bearer()(side)]] }, 'userinfo');
  }),
  flow('bad-userinfo', async (side) => {
    await side.ask('GET /oauth2/userinfo', { headers: [['Authorization', bearer({ exp: 1 })(side)]] }, 'userinfo');
  }),
  flow('good-group', async (side) => {
    const headers: readonly Field[] = [['Authorization', bearer()(side)]];
    await side.ask('GET /oauth2/auth?allowed_groups=/developers', { headers }, 'member');
    await side.ask('GET /oauth2/auth?allowed_groups=/ops', { headers }, 'not a member');
  }),
  flow('bad-and-session', async (side) => {
    const jar = await side.jarOf('bob');
    await side.ask('GET /oauth2/auth', { jar, headers: [['Authorization', bearer({ exp: 1 })(side)]] }, 'auth');
  }),
  flow('good-and-session', async (side) => {
    const jar = await side.jarOf('bob');
    await side.ask('GET /oauth2/auth', { jar, headers: [['Authorization', bearer()(side)]] }, 'auth');
  }),
];

export const bearerTokens: Configuration = {
  name: 'bearer',
  env: { SKIP_JWT_BEARER_TOKENS: 'true', SET_XAUTHREQUEST: 'true', EXTRA_JWT_ISSUERS: '{issuer}=machines' },
  cases,
};

export const bearerOnly: Configuration = {
  name: 'bearer-no-fallback',
  env: { SKIP_JWT_BEARER_TOKENS: 'true', BEARER_TOKEN_LOGIN_FALLBACK: 'false', EMAIL_DOMAINS: 'example.com' },
  cases,
};

/** Not switched on: a token is nothing. */
export const bearerOff: Configuration = {
  name: 'bearer-off',
  env: { OIDC_EXTRA_AUDIENCES: 'machines' },
  cases: cases.slice(0, 2),
};
