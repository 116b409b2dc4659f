/** The structured configuration file: claims to fields as it says, more than one application, parameters by pattern. */
import { one } from '../configuration.ts';
import { members } from './members.ts';
import type { Configuration } from '../configuration.ts';

/** A structured file says it, in place of the flags that it is about. */
export const STRUCTURED: Pick<Configuration, 'env' | 'args'> = {
  env: {
    PROVIDER: null,
    OIDC_ISSUER_URL: null,
    CLIENT_ID: null,
    CLIENT_SECRET: null,
    UPSTREAMS: null,
    HTTP_ADDRESS: null,
    SCOPE: null,
  },
  args: ['--alpha-config={dir}/alpha.yaml'],
};

/** The structured configuration: claims to fields as it says, more than one application. */
export const alpha: Configuration = {
  name: 'alpha',
  ...STRUCTURED,
  files: {
    'alpha.yaml': `server:
  BindAddress: 127.0.0.1:{port}
providers:
- id: house
  name: The House
  provider: oidc
  clientID: front-door
  clientSecret: secret-of-the-front-door
  scope: openid email profile
  oidcConfig:
    issuerURL: {issuer}
    groupsClaim: groups
    emailClaim: email
    userIDClaim: email
    audienceClaims: [aud]
    insecureSkipNonce: true
upstreamConfig:
  upstreams:
  - id: main
    path: /
    uri: {app}
  - id: rewritten
    path: ^/old/(.*)$
    rewriteTarget: /new/$1
    uri: {app}
  - id: fixed
    path: /fixed
    static: true
    staticCode: 418
injectRequestHeaders:
- name: X-Who
  values:
  - claimSource: { claim: email }
- name: X-Prefixed
  values:
  - claimSource: { claim: user, prefix: "user:" }
- name: X-Kept
  preserveRequestValue: true
  values:
  - claimSource: { claim: groups }
- name: X-Fixed
  values:
  - secretSource: { value: Zml4ZWQ= }
injectResponseHeaders:
- name: X-Who
  values:
  - claimSource: { claim: preferred_username }
- name: Authorization
  values:
  - claimSource: { claim: id_token, prefix: "Bearer " }
`,
  },
  cases: [
    one('auth', 'GET /oauth2/auth'),
    one('auth-alice', 'GET /oauth2/auth', { as: 'alice' }),
    one('auth-bob', 'GET /oauth2/auth', { as: 'bob' }),
    one('app', 'GET /x', { as: 'alice' }),
    one('app-bob', 'GET /x', { as: 'bob' }),
    one('app-smuggle', 'GET /x', {
      as: 'alice',
      headers: [
        ['X-Who', 'root'],
        ['X_Who', 'root'],
        ['X-Kept', 'own'],
        ['X-Fixed', 'own'],
        ['X-Forwarded-User', 'root'],
      ],
    }),
    one('rewritten', 'GET /old/a/b?x=1', { as: 'alice' }),
    one('rewritten-dots', 'GET /old/%2e%2e/b', { as: 'alice' }),
    one('fixed', 'GET /fixed', { as: 'alice' }),
    one('start', 'GET /oauth2/start'),
    one('sign-in', 'GET /oauth2/sign_in'),
  ],
};

/** The structured file with what the flags cannot say. */
export const alphaMore: Configuration = {
  name: 'alpha-more',
  ...STRUCTURED,
  files: {
    'alpha.yaml': `server:
  BindAddress: 127.0.0.1:{port}
providers:
- id: house
  provider: oidc
  clientID: front-door
  clientSecretFile: {dir}/client-secret
  scope: openid email profile
  allowedGroups: [/developers, single]
  additionalClaims: [name, email_verified]
  code_challenge_method: S256
  loginURLParameters:
  - name: prompt
    default: [login]
    allow: [{ value: none }, { pattern: "^select" }]
  - name: login_hint
    allow: [{ pattern: ".*" }]
  - name: fixed
    default: [a, b]
  oidcConfig:
    issuerURL: {issuer}
    groupsClaim: groups
    emailClaim: email
    audienceClaims: [aud]
    insecureSkipNonce: false
upstreamConfig:
  proxyRawPath: true
  upstreams:
  - id: main
    path: /
    uri: {app}
    passHostHeader: false
    proxyWebSockets: false
  - id: files
    path: /files/
    uri: file://{dir}/files/
injectRequestHeaders:
- name: X-Name
  values:
  - claimSource: { claim: name }
- name: Authorization
  values:
  - claimSource: { claim: email, prefix: "Basic ", basicAuthPassword: { value: cGFzc3dvcmQ= } }
- name: X-Several
  values:
  - claimSource: { claim: user }
  - claimSource: { claim: groups }
injectResponseHeaders:
- name: X-Expires
  values:
  - claimSource: { claim: no_such_claim }
- name: X-Groups
  values:
  - claimSource: { claim: groups, prefix: "g:" }
`,
    'client-secret': 'secret-of-the-front-door',
    'files/page.txt': 'a file\n',
  },
  cases: [
    one('start', 'GET /oauth2/start?rd=%2Fx'),
    one('start-prompt', 'GET /oauth2/start?rd=%2Fx&prompt=none'),
    one('start-prompt-pattern', 'GET /oauth2/start?rd=%2Fx&prompt=select_account'),
    one('start-prompt-other', 'GET /oauth2/start?rd=%2Fx&prompt=consent'),
    one('start-hint', 'GET /oauth2/start?rd=%2Fx&login_hint=ann%40example.com'),
    one('start-hint-twice', 'GET /oauth2/start?rd=%2Fx&login_hint=a&login_hint=b'),
    one('start-fixed', 'GET /oauth2/start?rd=%2Fx&fixed=c'),
    ...members,
    one('file', 'GET /files/page.txt', { as: 'alice' }),
    one('app-raw', 'GET /a%2Fb/c%20d', { as: 'alice' }),
    one('app-authorization', 'GET /x', { as: 'alice', headers: [['Authorization', 'Bearer own']] }),
  ],
};
