/** Flags, variables and files are read, and refused, as the real oauth2-proxy does; where not, the reason stands here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { ENOUGH, askOriginal, askPostern } from './original.ts';
import { skipWithout } from '../../support/peers.ts';
import type { Said } from './original.ts';

const skip = skipWithout('oauth2-proxy');

/** Both start, or neither does. */
const SAME: readonly (readonly [name: string, said: Said])[] = [
  ['a boolean as a word', { args: ['--cookie-secure=yes'] }],
  ['a boolean as a letter', { args: ['--cookie-secure=T'] }],
  ['a duration without a unit', { args: ['--cookie-expire=3600'] }],
  ['a duration of parts', { args: ['--cookie-expire=1h30m0.5s'] }],
  ['a number in hexadecimal', { args: ['--redis-connection-idle-timeout=0x10'] }],
  ['a number that is none', { env: { OAUTH2_PROXY_REDIS_CONNECTION_IDLE_TIMEOUT: 'x' } }],
  ['a flag that nobody knows', { args: ['--no-such-flag'] }],
  ['a plural as a flag', { args: ['--email-domains=x'] }],
  ['a list with a stray quote', { args: ['--allowed-group=a"b'] }],
  ['a list with an open quote', { args: ['--allowed-group="a'] }],
  ['a key that nobody knows', { toml: 'no_such_key = 1\n' }],
  ['a key in capitals', { toml: 'Cookie_Expire = "4h"\n' }],
  ['a boolean of the file in quotes', { toml: 'cookie_secure = "false"\n' }],
  ['text for a list', { toml: 'upstreams = "static://200"\n' }],
  ['a table for a text', { toml: '[cookie_name]\na = 1\n' }],
  ['a file that is no TOML', { toml: 'a b c' }],
  ['an empty variable', { env: { OAUTH2_PROXY_COOKIE_EXPIRE: '' } }],
  ['a broken expression', { args: ['--skip-auth-route=^/(a'] }],
  ['an expression that only others know', { args: ['--skip-auth-regex=^/(?!x)'] }],
  ['an expression with a class of Unicode', { args: [String.raw`--skip-auth-regex=^/\p{Greek}+$`] }],
  ['an expression with flags and a lazy repeat', { args: ['--api-route=(?i)^/a+?'] }],
  ['an expression with a bad repeat', { args: ['--api-route=^/a**'] }],
  ['an expression with a repeat beyond 1000', { args: ['--api-route=^/a{1001}'] }],
  ['two upstreams on one path', { args: ['--upstream=http://a/', '--upstream=http://b/'] }],
  ['an upstream of an unknown kind', { args: ['--upstream=ftp://a/'] }],
  ['tokens that a minimal cookie leaves out', { args: ['--session-cookie-minimal', '--pass-authorization-header'] }],
  ['a refresh that a minimal cookie leaves out', { args: ['--session-cookie-minimal', '--cookie-refresh=1h'] }],
  ['a refresh as long as the lifetime', { args: ['--cookie-refresh=168h'] }],
  ['Authorization set twice', { args: ['--set-basic-auth', '--basic-auth-password=x', '--set-authorization-header'] }],
  ['basic authorization without a password', { args: ['--set-basic-auth'] }],
  ['a network with bits of a host', { args: ['--trusted-ip=10.0.0.1/8'] }],
  ['an address that is none', { args: ['--trusted-proxy-ip=10.0.0.256'] }],
  ['an unknown header with the address', { args: ['--reverse-proxy', '--real-client-ip-header=X-Mine'] }],
  ['an unknown signing algorithm', { args: ['--oidc-enabled-signing-alg=none'] }],
  ['a secret of 32 letters', { args: ['--cookie-secret=abcdefghijklmnopqrstuvwxyz012345'] }],
  ['a secret of 20 letters', { args: ['--cookie-secret=abcdefghijklmnopqrst'] }],
  ['URL-safe base64 without its end', { args: ['--cookie-secret=-_EyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY'] }],
  ['a cookie whose name has a space', { args: ['--cookie-name=a b'] }],
  ['a cookie whose name is long', { args: [`--cookie-name=${'n'.repeat(257)}`] }],
  ['google with an administrator alone', { args: ['--provider=google', '--google-admin-email=a@b'] }],
];

for (const [name, said] of SAME) {
  test(`${name}: oauth2-proxy and Postern agree`, { skip }, () => {
    const full = { ...said, args: [...ENOUGH, ...(said.args ?? [])] };
    const original = askOriginal(full, 'config-test');
    const ours = askPostern(full);
    const told = ours.findings.map(({ option, message }) => `${option} ${message}`).join('\n');
    assert.equal(ours.settings !== null, original.isGood, `theirs: ${original.output}\nours: ${told}`);
  });
}

/** Refused here, taken there: each would do something else than it says. */
const STRICTER: readonly (readonly [why: string, said: Said])[] = [
  ['a word after a boolean is dropped, and the boolean is true', { args: ['--cookie-secure', 'false'] }],
  ['a misspelt rule is ignored', { env: { OAUTH2_PROXY_ALLOWED_GROUP: 'ops' } }],
  ['a restriction of another provider restricts nobody', { args: ['--github-org=acme'] }],
  ['groups that nobody may ask for restrict nobody', { args: ['--google-group=ops@example.com'] }],
  ['an empty group restricts nobody', { args: ['--allowed-group=,'] }],
  ['an empty list restricts nobody', { args: ['--allowed-group='] }],
  ['an unknown PKCE method fails at the provider', { args: ['--code-challenge-method=S512'] }],
  ['an unknown provider ends the process after the check', { args: ['--provider=nobody'] }],
  ['HTTPS without a certificate ends the process after the check', { args: ['--force-https'] }],
  ['quotes that are part of a value', { args: ['--client-id="id"'] }],
  ['a bare number is nanoseconds', { toml: 'cookie_expire = 3600\n' }],
  ['a domain with @ matches nobody', { args: ['--email-domain=@example.com'] }],
  ['a whitelist entry with a scheme matches nothing', { args: ['--whitelist-domain=https://app.example.com'] }],
];

for (const [why, said] of STRICTER) {
  test(`refused here alone, since ${why}`, { skip }, () => {
    const full = { ...said, args: [...ENOUGH, ...(said.args ?? [])] };
    assert.equal(askOriginal(full, 'config-test').isGood, true);
    assert.equal(askPostern(full).settings, null);
  });
}

test('lists of flags and variables are parted as oauth2-proxy parts them', { skip }, () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ',', '"', ' ', '/', '[', ']', "'"), maxLength: 8 });
  fc.assert(
    fc.property(text, text, (flag, variable) => {
      isSameList({ args: [...ENOUGH, '--provider=github', `--github-user=${flag}`] }, 'flag');
      isSameList({ args: [...ENOUGH, '--provider=github'], env: { OAUTH2_PROXY_GITHUB_USERS: variable } }, 'variable');
    }),
    { numRuns: 60 },
  );
});

function isSameList(said: Said, what: string): void {
  const original = askOriginal(said, 'convert-config-to-alpha');
  const ours = askPostern(said);
  // Refused here alone: quotes that are part of a value, and a rule that names nobody.
  const isStricter = ours.findings.some(({ message }) => /^has quotes|given and empty/.test(message));
  if (!original.isGood || isStricter) {
    assert.equal(ours.settings, null, what);
    return;
  }
  const { providers } = parse(original.output) as {
    readonly providers: readonly { readonly githubConfig?: { readonly users?: readonly string[] } }[];
  };
  assert.deepEqual(ours.settings?.provider.github.users, providers[0]?.githubConfig?.users ?? [], what);
}

/** Pieces of expressions, in which RE2, Go and others differ. */
const PIECES: readonly string[] =
  String.raw`a . * + ? | ( ) [ ] {2} {1,3} {,3} {1001} ^ $ \d \b \A \z \Z \pL \p{Greek} (?i) (?: (?P<n> (?<n> (?= (?! (?<= \1 \Q \E \x41 \x{1F600} \u0041 \e \h [[:alpha:]] [^a-z] (?s (?U) *? ++ \/ \C`.split(
    ' ',
  );

test('regular expressions are taken and refused as oauth2-proxy does', { skip }, () => {
  const piece = fc.constantFrom(...PIECES);
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
      const said = { args: [...ENOUGH, '--provider=github', `--api-route="${pieces.join('')}"`] };
      assert.equal(askPostern(said).settings !== null, askOriginal(said, 'config-test').isGood, pieces.join(''));
    }),
    { numRuns: 150 },
  );
});
