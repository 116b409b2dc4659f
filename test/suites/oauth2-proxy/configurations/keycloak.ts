/** The provider that most run it with, for real: groups, roles, its sign-out, and the settings of its issues. */
import { setTimeout as sleep } from 'node:timers/promises';
import { flow, login, one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';

const ENV = { PROVIDER: 'keycloak-oidc', CODE_CHALLENGE_METHOD: 'S256', SET_XAUTHREQUEST: 'true' };
const lines = ['GET /oauth2/auth', 'GET /oauth2/userinfo', 'GET /oauth2/auth?allowed_groups=/developers', 'GET /x'];
const members = ['alice', 'bob'].map((person) =>
  login(person, person, '/oauth2/start?rd=%2Fdeep%3Fa%3D1%26b%3D2', lines),
);

export const KEYCLOAK_CONFIGURATIONS: readonly Configuration[] = [
  { name: 'keycloak', env: ENV, cases: members },
  {
    name: 'keycloak-groups',
    env: { ...ENV, ALLOWED_GROUPS: '/developers' },
    cases: [...members, one('start', 'GET /oauth2/start')],
  },
  { name: 'keycloak-quoted', env: ENV, args: ['--allowed-group="/developers"'], cases: members },
  { name: 'keycloak-roles', env: { ...ENV, ALLOWED_ROLES: 'reviewer' }, cases: members },
  {
    name: 'keycloak-client-roles',
    env: { ...ENV, ALLOWED_ROLES: 'front-door:operator' },
    cases: members,
  },
  {
    name: 'keycloak-scope',
    env: { ...ENV, ALLOWED_GROUPS: '/developers', SCOPE: null },
    cases: [one('start', 'GET /oauth2/start'), login('alice', 'alice', '/oauth2/start?rd=%2F')],
  },
  {
    name: 'keycloak-as-oidc',
    env: { ...ENV, PROVIDER: 'oidc', ALLOWED_GROUPS: '/developers', INSECURE_OIDC_SKIP_NONCE: 'false' },
    cases: members,
  },
  {
    name: 'keycloak-sign-out',
    env: {
      ...ENV,
      COOKIE_REFRESH: '1s',
      WHITELIST_DOMAINS: 'localhost:*',
      BACKEND_LOGOUT_URL: '{issuer}/protocol/openid-connect/logout?id_token_hint={id_token}',
    },
    cases: [
      flow('refresh-then-out', async (side) => {
        const { jar } = await side.signIn('alice');
        await sleep(2_100);
        await side.ask('GET /oauth2/auth', { jar }, 'renewed');
        const kept = new Map(jar);
        await side.ask('GET /oauth2/sign_out', { jar }, 'sign out');
        await sleep(2_100);
        await side.ask('GET /oauth2/auth', { jar: kept }, 'kept cookie');
      }),
      flow('out-at-the-provider', async (side) => {
        const { jar } = await side.signIn('bob');
        const back = encodeURIComponent('https://app.example.com/');
        const page = `${side.issuer}/protocol/openid-connect/logout?id_token_hint={id_token}&post_logout_redirect_uri=${back}`;
        await side.ask(`GET /oauth2/sign_out?rd=${encodeURIComponent(page)}`, { jar }, 'sign out');
      }),
    ],
  },
];
