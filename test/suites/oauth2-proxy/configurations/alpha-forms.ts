import { STRUCTURED } from './alpha.ts';
import { one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';

/** The structured file, with values from everywhere and for nobody. */
export const alphaForms: Configuration = {
  name: 'alpha-forms',
  ...STRUCTURED,
  env: { ...STRUCTURED.env, SKIP_AUTH_ROUTES: '^/open' },
  files: {
    secret: 'of-a-file',
    'alpha.yaml': `server:
  BindAddress: 127.0.0.1:{port}
providers:
- id: house
  provider: oidc
  clientID: front-door
  clientSecret: secret-of-the-front-door
  scope: openid email profile
  oidcConfig:
    issuerURL: {issuer}
    groupsClaim: groups
    emailClaim: email
    audienceClaims: [aud]
    insecureSkipNonce: true
upstreamConfig:
  upstreams:
  - id: main
    path: /
    uri: {app}
    flushInterval: 100ms
    timeout: 5s
    disableKeepAlives: true
  - id: longer
    path: /deep/
    uri: {app}
    passHostHeader: false
  - id: query
    path: ^/find/([^/]+)$
    rewriteTarget: /search?name=$1
    uri: {app}
  - id: swapped
    path: ^/swap/([^/]+)/([^/]+)$
    rewriteTarget: /$2/$1
    uri: {app}
  - id: nobody
    path: /none/
    static: true
injectRequestHeaders:
- name: x-lower-case
  values:
  - claimSource: { claim: user }
- name: X-Kept
  preserveRequestValue: true
  values:
  - claimSource: { claim: email }
- name: X-File
  values:
  - secretSource: { fromFile: '{dir}/secret' }
- name: X-Joined
  values:
  - secretSource: { value: Zml4ZWQ= }
  - claimSource: { claim: groups, prefix: 'g-' }
  - claimSource: { claim: preferred_username }
- name: X-Nothing
  values: []
injectResponseHeaders:
- name: X-Kept
  preserveRequestValue: true
  values:
  - claimSource: { claim: email }
- name: X-Fixed
  values:
  - secretSource: { value: Zml4ZWQ= }
`,
  },
  cases: [
    one('auth', 'GET /oauth2/auth'),
    one('auth-alice', 'GET /oauth2/auth', { as: 'alice', headers: [['X-Kept', 'own']] }),
    one('auth-carol', 'GET /oauth2/auth', { as: 'carol' }),
    one('app', 'GET /x', {
      as: 'alice',
      headers: [
        ['X-Kept', 'own'],
        ['X-Joined', 'own'],
        ['x-lower-case', 'own'],
      ],
    }),
    one('app-nomail', 'GET /x', {
      as: 'bob',
      headers: [
        ['X-Nothing', 'own'],
        ['X-File', 'own'],
      ],
    }),
    one('open', 'GET /open', {
      headers: [
        ['X-Kept', 'own'],
        ['X-Joined', 'own'],
        ['X_Joined', 'own'],
        ['X-File', 'own'],
      ],
    }),
    one('deep', 'GET /deep/x?a=1', { as: 'alice' }),
    one('find', 'GET /find/name?x=1&y=%26', { as: 'alice' }),
    one('find-before', 'GET /find/a?b=1&a=2&z=%2F', { as: 'alice' }),
    one('find-itself', 'GET /find/a?name=own&z=1&name=other', { as: 'alice' }),
    one('swap', 'GET /swap/a/b?x=1', { as: 'alice' }),
    one('none', 'GET /none/x', { as: 'alice' }),
    one('none-post', 'POST /none/', { as: 'alice', body: 'x' }),
  ],
};
