/**
 * What went wrong in gateways before, by class, and the tests that hold it here: each with vectors of its own. A test that
 * is renamed or taken away fails here, so that no class is left without one unseen.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';

interface AdvisoryClass {
  readonly name: string;
  /** What always holds. */
  readonly invariant: string;
  /** File, and what stands in the name of the test. */
  readonly tests: readonly (readonly [file: string, title: string])[];
}

const CLASSES: Readonly<Record<string, AdvisoryClass>> = {
  A: {
    name: 'open redirect',
    invariant: 'nobody is sent anywhere but to hosts of this gateway',
    tests: [
      ['src/sign-in/return-path.test.ts', 'No open-redirect vector leaves our hosts by way of start, ticket, code'],
      ['src/sign-in/return-path.test.ts', 'safeReturnPath() refuses every open-redirect vector'],
      ['test/suites/hand-off/ports.test.ts', 'neither a code nor a visitor goes there'],
      ['src/forward-auth/flow/redirect-target.test.ts', 'CVE-2020-11053'],
    ],
  },
  B: {
    name: 'header smuggling',
    invariant: 'an app sees each identity header once, and ours',
    tests: [
      ['test/suites/machines/identity.test.ts', 'header smuggling: '],
      ['test/suites/machines/identity.test.ts', 'header smuggling over HTTP/2'],
      ['src/upstream/request-headers.test.ts', 'no spelling of a field about the visitor is kept'],
      ['test/suites/raw-wire/raw-wire.test.ts', '1.3 Connection may name framing and our fields'],
      ['test/suites/raw-wire/raw-wire.test.ts', 'F9 trailers name nobody'],
      ['src/forward-auth/serving/app-gate.test.ts', 'CVE-2025-64484'],
    ],
  },
  C: {
    name: 'missing claim passed through',
    invariant: 'a header that we have no value for is removed, not left as the client sent it',
    tests: [
      ['src/edge/identity-headers.test.ts', 'identityHeaders() says what the preset names, and nothing where'],
      [
        'test/suites/machines/identity.test.ts',
        'a person is told in the encoding of the route, in UTF-8, and nothing of it',
      ],
      ['test/suites/passed-tokens/passed-tokens.test.ts', 'a local account and a machine have none'],
      ['test/suites/identity-upstreams/two-providers.test.ts', 'where a template has no value, the app gets none'],
    ],
  },
  D: {
    name: 'path confusion',
    invariant: 'the rules judge the path that the app sees',
    tests: [
      ['src/route/compile.test.ts', 'no spelling of a path reaches a public route where the app would see'],
      ['src/route/compile.test.ts', 'a stricter route is not evaded by letter case'],
      ['test/suites/raw-wire/raw-wire.test.ts', 'never lets a spelling of the path or the host around a rule'],
      ['src/forward-auth/serving/skip-rules.test.ts', 'CVE-2026-41059'],
    ],
  },
  E: {
    name: 'host confusion',
    invariant: 'the rule does not depend on how a host is spelt',
    tests: [
      ['test/suites/raw-wire/raw-wire.test.ts', 'never lets a spelling of the path or the host around a rule'],
      ['test/suites/raw-wire/host.test.ts', 'one host has one rule'],
      ['test/suites/raw-wire/host.test.ts', 'what is no host, is two'],
      ['test/suites/raw-wire/host.test.ts', 'a visitor who is no trusted proxy chooses no host'],
      ['test/suites/raw-wire/tls.test.ts', '421 only where the certificate policies of the two names differ'],
    ],
  },
  F: {
    name: 'trust in forwarded fields',
    invariant: 'a peer that is not listed is the client, whatever it says',
    tests: [
      ['src/wire/client-address.test.ts', 'an untrusted peer is the client, whatever it says'],
      ['src/wire/client-address.test.ts', 'a trusted proxy that names no valid address makes the client unknown'],
      ['src/policy/compile.test.ts', 'an unknown address is in no ip: allow and in every ip: deny'],
      ['src/forward-auth/serving/skip-rules.test.ts', 'CVE-2026-40575'],
    ],
  },
  G: {
    name: 'contradictory words of a front',
    invariant: 'what contradicts itself opens nothing',
    tests: [
      ['src/forward-auth/serving/skip-rules.test.ts', 'contradictory words of the front are as good as none'],
      ['src/forward-auth/serving/skip-rules.test.ts', 'take no contradiction for the own path'],
      ['src/control/forward-endpoint.test.ts', 'is 400 where the front says nothing, or two things (tinyauth #1125)'],
    ],
  },
  H: {
    name: 'cookie forgery',
    invariant: 'a damaged or forged cookie is no session: no 2xx, no 5xx',
    tests: [
      [
        'src/gate/gate.test.ts',
        'whatever stands in the Cookie field: no exception, no session, no door opened (cookie forgery)',
      ],
      ['test/suites/fuzz/fuzz.test.ts', '${RUNS} cookies'],
      ['src/session/secrets.test.ts', 'unseal() rejects another purpose, another key, every flipped bit'],
      ['src/forward-auth/serving/auth-endpoint.test.ts', 'CVE-2026-25748'],
    ],
  },
  I: {
    name: 'fixation and rotation',
    invariant: 'every sign-in and every step up has a new id, and the old one is dead',
    tests: [
      ['src/sign-in/hand-off-attacks.test.ts', 'A fixed session id does not survive'],
      ['src/sign-in/attacks.test.ts', 'Session fixation: a session planted in the browser'],
      ['src/sign-in/oidc/attacks.test.ts', 'Session fixation: a session of the sign-in host'],
      ['src/sign-in/second-step.test.ts', 'a session that was revoked in the very moment of a second step'],
    ],
  },
  J: {
    name: 'login CSRF and mix-up',
    invariant: 'state is bound to browser, provider and use, and compared before a code is tried',
    tests: [
      ['src/sign-in/sign-in.test.ts', 'Login CSRF: a form that another site sends'],
      ['src/sign-in/oidc/attacks.test.ts', 'Login CSRF: a callback that another browser began'],
      ['src/sign-in/oidc/attacks.test.ts', 'Login CSRF: a state that is changed in any place'],
      ['src/sign-in/oidc/attacks.test.ts', "Mix-up: an answer of one provider is never taken for another's"],
      ['src/sign-in/oidc/attacks.test.ts', 'Mix-up: iss of RFC 9207 is required'],
      ['src/sign-in/oidc/attacks.test.ts', 'A code counts once'],
      ['src/sign-in/hand-off-attacks.test.ts', 'A link with somebody else’s ticket'],
    ],
  },
  K: {
    name: 'nonce, PKCE and ID tokens',
    invariant: 'a token that is unsigned, of another key, issuer, audience, party or time opens nothing',
    tests: [
      ['src/sign-in/oidc/attacks.test.ts', 'An ID token is refused'],
      ['src/sign-in/oidc/attacks.test.ts', 'Clock: three minutes off are refused by default'],
      ['src/sign-in/oidc/attacks.test.ts', 'Addresses of keys in the header of an ID token'],
      [
        'src/forward-auth/providers/oidc/attacks.test.ts',
        'redeem() refuses an ID token without, or with another, nonce',
      ],
    ],
  },
  L: {
    name: 'trust in e-mail',
    invariant: 'an address counts if it is verified, by a provider of its domain, and plainly an address',
    tests: [
      [
        'src/policy/email-address.test.ts',
        'parseEmailAddress() takes nothing that only some read as an address of a domain',
      ],
      ['src/policy/email-address.test.ts', 'parseEmailAddress() never answers a domain that is not what follows'],
      ['src/policy/compile.test.ts', 'an e-mail admits only if it is verified and plainly an address'],
      ['src/sign-in/oidc/claims.test.ts', 'personFrom() takes e-mail only if it is verified'],
      ['src/forward-auth/serving/email-rules.test.ts', 'CVE-2026-40574'],
    ],
  },
  M: {
    name: 'restrictions take effect',
    invariant: 'each restriction keeps somebody out, and one that cannot be read is an error',
    tests: [
      ['src/policy/compile.test.ts', 'decide() gives a refused request what could still help'],
      ['src/policy/compile.test.ts', 'a deny is not evaded by the spelling of a name or an e-mail'],
      ['src/policy/compile.test.ts', 'a deny is not evaded by more groups or roles than are known'],
      ['src/policy/compile.test.ts', 'a document with a bad rule would still fail closed'],
      ['src/sign-in/oidc/bearer.test.ts', 'a token of an account outside hosted_domain lets nobody in'],
      ['src/forward-auth/providers/plain/plain.test.ts', 'CVE-2021-21411'],
    ],
  },
  N: {
    name: 'health, metrics and debug pages',
    invariant: 'none of them is on a public listener, and no User-Agent opens a door',
    tests: [
      ['src/observe/health.test.ts', 'a Host that DNS could point here is refused'],
      [
        'test/suites/start/start.test.ts',
        'health, metrics, users and sessions by the command line, none of them in public',
      ],
      ['src/forward-auth/serving/auth-endpoint.test.ts', 'CVE-2026-34457'],
    ],
  },
  O: {
    name: 'secrets',
    invariant: 'no token is in a log, a page, the userinfo or a Referer',
    tests: [
      ['test/suites/machines/machines.test.ts', 'no token is in the log, wherever it stood'],
      ['test/suites/machines/bearer.test.ts', 'no token is in the log'],
      ['test/suites/passed-tokens/passed-tokens.test.ts', 'no token is in a log, a page, the userinfo'],
      ['src/sign-in/hand-off-attacks.test.ts', 'No answer of a hand-off lets its URL out as Referer'],
      ['src/sign-in/sign-out.test.ts', 'userinfo tells an app who is there, and holds no token'],
    ],
  },
  P: {
    name: 'brute force and timing',
    invariant: 'guessing is slowed by account and address, names cost the same, memory is bounded',
    tests: [
      ['src/session/attempts.test.ts', 'begin() counts every spelling of a name as one account'],
      ['src/session/attempts.test.ts', 'a hundred thousand names do not grow memory'],
      ['src/sign-in/attacks.test.ts', 'Unknown names cost the same'],
      ['src/sign-in/second-step.test.ts', 'guessing codes waits, also with the right password in hand'],
    ],
  },
  Q: {
    name: 'concurrency',
    invariant: 'people who sign in at once never become each other, and a refresh is one',
    tests: [
      ['src/sign-in/sign-in.test.ts', '200 people signing in at once'],
      ['test/suites/storm/storm.test.ts', '${CROWD} people sign in at once, and each ends as nobody else'],
      ['test/suites/storm/storm.test.ts', 'the provider is back: one refresh a session'],
      ['src/forward-auth/serving/auth-endpoint.test.ts', 'CVE-2026-33544'],
    ],
  },
  R: {
    name: 'scope of caches',
    invariant: 'what was decided for one route, document or credential counts for no other',
    tests: [
      ['src/gate/gate.test.ts', "one policy's decision is not used for another (cache scoping)"],
      ['src/gate/gate.test.ts', 'Basic of a service is checked once, remembered until the document changes'],
      ['src/gate/bearer-issuers.test.ts', 'a document that takes the tokens of fewer, or reads another person in them'],
      ['src/edge/identity-headers.test.ts', 'an assertion is signed once for a session and audience'],
    ],
  },
  S: {
    name: 'revocation',
    invariant: 'what is taken back ends at the next request, and on open connections within a second',
    tests: [
      ['test/suites/live/live.test.ts', 'when the session is revoked'],
      ['test/suites/live/live.test.ts', 'when the person leaves the group'],
      ['test/suites/live/live.test.ts', 'on every worker: thirty connections of one session'],
      ['test/suites/machines/machines.test.ts', 'a WebSocket and a stream that ride on a token end within a second'],
      [
        'src/gate/bearer-issuers.test.ts',
        'an open connection that rides on a token ends when the provider takes its key',
      ],
    ],
  },
  T: {
    name: 'fail closed',
    invariant: 'what cannot be decided is denied, and an outage signs nobody out',
    tests: [
      ['src/gate/gate.test.ts', 'while the store is away a known session serves for stale_for, then 503'],
      ['src/sign-in/hand-off.test.ts', 'A store that is away is a 503 that says so'],
      ['src/sign-in/hand-off.test.ts', 'A rule that breaks while it is asked lets nobody in'],
      ['src/sign-in/oidc/attacks.test.ts', 'What an endpoint of the provider answers has a page and a reason'],
      ['test/suites/keycloak/keycloak.test.ts', 'Keycloak stops: people inside go on'],
    ],
  },
  U: {
    name: 'logout CSRF, and GET with an effect',
    invariant: 'no other site ends a session, and no GET does anything',
    tests: [
      ['src/sign-in/sign-out.test.ts', 'Logout CSRF: GET ends nothing'],
      ['src/sign-in/attacks.test.ts', 'CSRF: every path that takes a POST refuses one of another site'],
    ],
  },
  V: {
    name: 'confusion of bearers',
    invariant: 'a token for another audience, of another kind, or our own assertion is no credential',
    tests: [
      ['src/gate/machine-credential.test.ts', 'bearer confusion: what is not ours by its form passes to the app'],
      ['test/suites/machines/bearer.test.ts', "a token for another audience is the app's"],
      ['test/suites/machines/identity.test.ts', 'bearer confusion: an assertion is nobody when an app sends it back'],
    ],
  },
  W: {
    name: 'leaks by the way of an error',
    invariant: 'of a request that is refused nothing reaches an app',
    tests: [
      ['test/suites/fuzz/fuzz.test.ts', '${RUNS} tokens and passwords'],
      ['test/suites/raw-wire/raw-wire.test.ts', 'never completes a request with a bad chunk'],
    ],
  },
  X: {
    name: 'WebSockets',
    invariant: 'none opens without permission or from another origin, and none outlives it',
    tests: [
      ['test/suites/live/live.test.ts', 'a WebSocket from another origin never opens'],
      ['test/suites/raw-wire/apps.test.ts', '1.5 an upgrade that the app answers with anything but the right 101'],
      ['test/suites/live/live.test.ts', 'a WebSocket without a session, or with one that is none'],
      ['src/gate/origin.test.ts', 'isUpgradeOriginAllowed() wants the same scheme, host and port'],
    ],
  },
  Y: {
    name: 'a rewrite after the decision',
    invariant: 'what is left after strip_prefix and rewrite is one path, or the request is refused',
    tests: [
      ['src/route/compile.test.ts', 'targetPath() strips, rewrites, and refuses what would be read as another path'],
      ['src/forward-auth/serving/app-gate.test.ts', 'CVE-2026-40912'],
    ],
  },
  Z: {
    name: 'own cookies',
    invariant: 'none of our cookies reaches an app, and none that an app or a neighbour sets counts',
    tests: [
      ['test/suites/hand-off/hand-off.test.ts', 'neither a code nor a ticket nor one of our cookies reaches an app'],
      ['test/suites/hand-off/hand-off.test.ts', 'cookie tossing: whatever a neighbour sets'],
      ['src/session/secrets.test.ts', 'cookie names hold the instance and the strongest prefix that fits'],
    ],
  },
};

const ROOT = resolve(import.meta.dirname, '..');

/** How a test is declared that runs: one that is switched off (`test.skip`, a comment) holds nothing. */
const DECLARED = /^\s*(?:test|suite)\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/gm;

function titlesIn(file: string): readonly string[] {
  const text = readFileSync(resolve(ROOT, file), 'utf8');
  return [...text.matchAll(DECLARED)].map(([, ...titles]) => titles.join('').replaceAll(/\\(['"`])/g, '$1'));
}

test('every class of advisories, A to Z, has its tests', () => {
  assert.equal(Object.keys(CLASSES).join(''), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ');
  const missing = Object.entries(CLASSES).flatMap(([letter, { name, tests }]) =>
    tests
      .filter(([file, title]) => title === '' || !titlesIn(file).some((one) => one.includes(title)))
      .map(([file, title]) => `class ${letter} (${name}): ${file} has no test "${title}"`),
  );
  assert.deepEqual(missing, []);
});
