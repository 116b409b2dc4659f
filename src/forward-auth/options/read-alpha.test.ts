import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { errors, lines, load } from './_told-fixture.ts';
import type { Said } from './_told-fixture.ts';
import type { Settings } from '../settings.ts';

const CORE = ['--cookie-secret=0123456789abcdef', '--email-domain=*'];
const PROVIDER = `
providers:
  - id: main
    provider: oidc
    clientID: \${CLIENT:-postern}
    clientSecret: secret
    additionalClaims: [phone, address.city]
    allowedGroups: ["/developers"]
    oidcConfig: { issuerURL: "https://id.example", emailClaim: mail }
    loginURLParameters:
      - name: prompt
        default: [login]
        allow: [{ value: consent }, { pattern: "^select_" }]
server:
  bindAddress: 127.0.0.1:4180
`;

function settings(said: Said): Settings {
  const loaded = load({ ...said, args: [...CORE, ...(said.args ?? [])] });
  assert.ok(loaded.settings !== null, errors(loaded).join('\n'));
  return loaded.settings;
}

test('readAlpha() reads provider, claims and parameters, with variables put in', () => {
  const { provider, admission, server } = settings({ alpha: PROVIDER });
  assert.deepEqual(
    [provider.kind, provider.clientId, provider.oidc.issuer, provider.oidc.emailClaim, admission.groups, server.http],
    ['oidc', 'postern', 'https://id.example', 'mail', ['/developers'], '127.0.0.1:4180'],
  );
  assert.deepEqual(provider.additionalClaims, ['phone', 'address.city']);
  const [prompt] = provider.loginParameters;
  assert.deepEqual([prompt?.name, prompt?.default], ['prompt', ['login']]);
  const [value, pattern] = prompt?.allow ?? [];
  assert.deepEqual(value, { value: 'consent' });
  assert.ok(pattern !== undefined && 'pattern' in pattern && pattern.pattern.matches('select_account'));
  assert.equal(settings({ alpha: PROVIDER, env: { CLIENT: 'other' } }).provider.clientId, 'other');
});

test('readAlpha() reads upstreams with a rewrite, a static answer and defaults of the original', () => {
  const alpha = `${PROVIDER}
upstreamConfig:
  proxyRawPath: true
  upstreams:
    - { id: api, path: "^/api/(.*)$", rewriteTarget: "/$1", uri: "http://127.0.0.1:9000/base", timeout: 5m }
    - { id: ok, path: /ok, static: true, staticCode: 204 }
`;
  const [api, ok] = settings({ alpha }).upstreams;
  assert.deepEqual(
    [api?.target, api?.timeoutMs, api?.websockets, api?.passHostHeader, api?.keepAlive],
    [{ kind: 'http', url: 'http://127.0.0.1:9000' }, 300_000, true, true, true],
  );
  assert.equal(api?.rewrite?.pattern.replaceAll('/api/x', api.rewrite.target), '/x');
  assert.deepEqual(ok?.target, { kind: 'static', status: 204 });
});

test('readAlpha() reads headers of claims and secrets', () => {
  const alpha = `${PROVIDER}
injectRequestHeaders:
  - name: X-User
    preserveRequestValue: true
    values: [{ claimSource: { claim: email, prefix: "mailto:" } }]
  - name: Authorization
    values: [{ claimSource: { claim: user, prefix: "Basic ", basicAuthPassword: { fromEnv: PASSWORD } } }]
injectResponseHeaders:
  - name: X-Fixed
    insecureSkipHeaderNormalization: true
    values: [{ secretSource: { value: plain } }, { secretSource: { value: [97, 98] } }]
`;
  const { requestHeaders, responseHeaders } = settings({ alpha, env: { PASSWORD: 'pw' } });
  const [user, basic] = requestHeaders;
  assert.deepEqual([user?.name, user?.keepsRequestValue], ['X-User', true]);
  assert.deepEqual(user?.values, [{ kind: 'claim', claim: 'email', prefix: 'mailto:', basicPassword: null }]);
  const [value] = basic?.values ?? [];
  assert.equal(value?.kind === 'claim' && value.basicPassword?.read().toString(), 'pw');
  const texts = responseHeaders[0]?.values.map((one) => one.kind === 'fixed' && one.value.read().toString());
  assert.deepEqual([responseHeaders[0]?.skipsNormalisation, texts], [true, ['plain', 'ab']]);
});

test('readAlpha() reports what is unknown or of another type, with its line', () => {
  const alpha = `providers:
  - id: a
    clientId: 12
    clientSecret: s
    provider: oidc
    bogus: 1
    githubConfig: { orgs: x }
    oidcConfig:
      issuerURL: https://id.example
      insecureSkipNonce: "false"
server: { bindAddress: "\${NOPE}" }
injectResponseHeaders:
  - name: A
    values: [{ claim: email }]
upstreamConfig: { upstreams: [{ id: a, path: /, uri: "http://a", timeout: 5 }] }
`;
  assert.deepEqual(lines(load({ args: CORE, alpha })), [
    'warning a.yaml: ${NOPE} is empty: the variable is not set; set it, or write ${NOPE:-default}',
    'error a.yaml:6: providers[0].bogus is no field that is known; known here: clientID, clientSecret, clientSecretFile, provider, name, caFiles, useSystemTrustStore, loginURL, authRequestResponseMode, redeemURL, profileURL, skipClaimsFromProfileURL, resource, validateURL, scope, allowedGroups, code_challenge_method, backendLogoutURL, keycloakConfig, azureConfig, microsoftEntraIDConfig, bitbucketConfig, githubConfig, gitlabConfig, googleConfig, oidcConfig, loginGovConfig, id, loginURLParameters, additionalClaims, ADFSConfig',
    'error a.yaml:3: providers[0].clientID is not text; put it in quotes',
    'error a.yaml:7: providers[0].githubConfig.orgs is no field that is known; did you mean org?',
    'error a.yaml:10: providers[0].oidcConfig.insecureSkipNonce is not true or false',
    'error a.yaml:15: upstreamConfig.upstreams[0].timeout is 5, which oauth2-proxy counts in nanoseconds; write its unit, such as 5s',
    'error a.yaml:14: injectResponseHeaders[0].values[0] has "claim" without "claimSource" around it; write claimSource: { claim: ... }',
    'error a.yaml:11: server.bindAddress leaves nothing to listen on; give an address, such as "127.0.0.1:4180"',
    'error not given: client_id is not given; register Postern at the provider, and write the client id that it gives',
  ]);
});

test('readAlpha() takes the place of older options: flags are refused, variables have no effect', () => {
  const env = { OAUTH2_PROXY_CLIENT_ID: 'other' };
  const loaded = load({ args: [...CORE, '--upstream=static://200'], env, alpha: PROVIDER });
  assert.deepEqual(lines(loaded), [
    'error --upstream: upstreams has no place beside --alpha-config, which says it in its own words; take it out',
    'warning OAUTH2_PROXY_CLIENT_ID: client_id has no place beside --alpha-config, which says it in its own words; take it out',
  ]);
});

test('readAlpha() answers any YAML with settings or findings, and never throws', () => {
  const word = fc.constantFrom(
    'providers',
    'id',
    'server',
    'tls',
    'upstreamConfig',
    'upstreams',
    'name',
    'values',
    '&a',
    '*a',
    '<<',
    'x',
  );
  const piece = fc.oneof(
    word,
    fc.constantFrom(':', ' ', '\n', '\n  ', '- ', '{', '}', '[', ']', '"', '${X}', '1', '|', ','),
  );
  const source = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 40 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(source, (alpha) => {
      const loaded = load({ args: CORE, alpha });
      assert.equal(
        loaded.settings === null,
        loaded.findings.some(({ severity }) => severity === 'error'),
      );
    }),
    { numRuns: Number(process.env['POSTERN_FUZZ'] ?? 150) },
  );
});
