import { one } from '../configuration.ts';
import type { Case, Configuration } from '../configuration.ts';

const shown: readonly Case[] = [
  one('auth', 'GET /oauth2/auth', { as: 'alice' }),
  one('auth-no-groups', 'GET /oauth2/auth', { as: 'bob' }),
  one('app', 'GET /x', { as: 'alice' }),
  one('smuggle-app', 'GET /x', {
    as: 'alice',
    headers: [
      ['Authorization', 'Bearer own'],
      ['X-Forwarded-Access-Token', 'own'],
    ],
  }),
  one('smuggle-open', 'GET /open', {
    headers: [
      ['Authorization', 'Bearer own'],
      ['X-Forwarded-Email', 'own'],
    ],
  }),
  one('open-alice', 'GET /open', { as: 'alice' }),
];

const headerSet = (name: string, env: Configuration['env']): Configuration => ({
  name: `header-set-${name}`,
  env: { SKIP_AUTH_ROUTES: '^/open', ...env },
  cases: shown,
});

export const headerSets: readonly Configuration[] = [
  headerSet('basic-email', {
    SET_BASIC_AUTH: 'true',
    PREFER_EMAIL_TO_USER: 'true',
    BASIC_AUTH_PASSWORD: 'pw',
    SET_XAUTHREQUEST: 'true',
  }),
  headerSet('basic-none', { PASS_BASIC_AUTH: 'false', BASIC_AUTH_PASSWORD: 'pw', SET_BASIC_AUTH: 'true' }),
  headerSet('no-user', { PASS_USER_HEADERS: 'false', BASIC_AUTH_PASSWORD: 'pw' }),
  headerSet('tokens-alone', { PASS_ACCESS_TOKEN: 'true', SET_AUTHORIZATION_HEADER: 'true' }),
  headerSet('authorization-and-basic', {
    PASS_AUTHORIZATION_HEADER: 'true',
    PASS_BASIC_AUTH: 'true',
    PASS_ACCESS_TOKEN: 'true',
    SET_XAUTHREQUEST: 'true',
    PREFER_EMAIL_TO_USER: 'true',
  }),
];
