import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { ERRORS } from '../../core/errors.ts';
import { deniedPage } from './denied-page.ts';
import { errorPage, formatFor } from './error-page.ts';
import { unsaidClaims } from './unsaid.ts';
import type { GithubProvider, OidcProvider } from '../../config/document/providers.ts';
import type { Unsaid } from '../../core/person.ts';
import { escapeHtml, html, trusted } from './html.ts';

const field = (answer: { headers: readonly (readonly [string, string])[] }, name: string): string | undefined =>
  answer.headers.find(([one]) => one === name)?.[1];

test('html escapes every value but its own pieces', () => {
  const bad = `"><script>alert(1)</script>'\`&`;
  assert.equal(
    html`<a href="${bad}">${html`<b>${bad}</b>`}${[html`<i>`, html`${1}`]}${null}${false}</a>`.toString(),
    `<a href="${escapeHtml(bad)}"><b>${escapeHtml(bad)}</b><i>1</a>`,
  );
  assert.equal(escapeHtml(bad), '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&#96;&amp;');
  assert.equal(html`${trusted('<br>')}`.toString(), '<br>');
});

test('errorPage() answers a page, JSON or text, each with the request id', () => {
  for (const status of [400, 401, 403, 404, 405, 408, 413, 414, 421, 429, 431, 500, 501, 502, 503, 504, 418]) {
    const page = errorPage({ status, code: 'INTERNAL', requestId: 'r-<1>', accept: 'text/html' });
    assert.equal(page.status, status);
    assert.match(page.body, /^<!doctype html>/);
    assert.match(page.body, /r-&lt;1&gt;/);
    assert.match(page.body, /<h1>[A-Z][^<]{5,}<\/h1>/);
    assert.equal(field(page, 'Cache-Control'), 'no-store');
    assert.match(field(page, 'Content-Security-Policy') ?? '', /default-src 'none'/);
  }
  const json = errorPage({
    status: 504,
    code: 'UPSTREAM_TIMEOUT',
    requestId: 'r1',
    accept: 'application/json',
    retryAfter: 7,
  });
  assert.deepEqual(JSON.parse(json.body), {
    error: 'upstream_timeout',
    status: 504,
    message: 'The app takes too long',
    request_id: 'r1',
  });
  assert.equal(field(json, 'Content-Type'), 'application/json');
  assert.equal(field(json, 'Retry-After'), '7');
  const text = errorPage({ status: 502, code: 'UPSTREAM_UNREACHABLE', requestId: 'r1', accept: '*/*' });
  assert.equal(text.body, '502 The app does not answer\nRequest r1\n');
});

test('errorPage() names the rule that a request breaks, in every form, and what to do about an encoded slash', () => {
  const broken = { status: 400, code: 'BAD_REQUEST', requestId: 'r1', rule: 'chunk-size' };
  assert.match(
    errorPage({ ...broken, accept: 'text/html' }).body,
    /<dt>Rule<\/dt>\s*<dd class="mono">chunk-size<\/dd>/,
  );
  assert.equal(errorPage({ ...broken, accept: '*/*' }).body, '400 chunk-size\nRequest r1\n');
  assert.deepEqual(JSON.parse(errorPage({ ...broken, accept: 'application/json' }).body), {
    error: 'bad_request',
    status: 400,
    message: 'This request cannot be read',
    rule: 'chunk-size',
    request_id: 'r1',
  });
  const slash = { status: 400, code: 'ENCODED_SLASH', requestId: 'r1' };
  for (const accept of ['text/html', '*/*', 'application/json'])
    assert.match(errorPage({ ...slash, accept }).body, /encoded_slash: keep/);
});

test('errorPage() says nothing of the code’s meaning for operators', () => {
  for (const [code, meaning] of Object.entries(ERRORS)) {
    const page = errorPage({ status: 502, code, requestId: 'r1' });
    assert.ok(!page.body.includes(meaning));
  }
  assert.match(errorPage({ status: 404, code: '__proto__', requestId: 'r1' }).body, /Nothing here/);
});

test('formatFor() reads Accept in order and leaves out what is refused', () => {
  assert.equal(formatFor('text/html,application/xhtml+xml,*/*;q=0.8'), 'html');
  assert.equal(formatFor('application/json, text/html'), 'json');
  assert.equal(formatFor('text/html;q=0, application/problem+json'), 'json');
  assert.equal(formatFor('*/*'), 'text');
  assert.equal(formatFor(null), 'text');
  assert.equal(formatFor(`${'x,'.repeat(100_000)}text/html`), 'text');
});

test('deniedPage() names the account and the id, and offers another account', () => {
  const facts = {
    host: 'a<b',
    requestId: 'r1',
    account: { provider: 'local', name: 'mallory', displayName: 'M <i>' },
    switchUrl: '/.postern/start?switch=1&to=%2F',
  };
  const page = deniedPage(facts);
  assert.equal(page.status, 403);
  assert.match(page.body, /M &lt;i&gt;/);
  assert.match(page.body, /mallory/);
  const two = [{ id: 'local' }, { id: 'github', label: 'Git <b>' }];
  assert.match(deniedPage({ ...facts, providers: two }).body, /<bdi class="soft">a local account<\/bdi>/);
  const account = { ...facts.account, provider: 'github' };
  assert.match(deniedPage({ ...facts, account, providers: two }).body, /<bdi class="soft">Git &lt;b&gt;<\/bdi>/);
  for (const providers of [[], two.slice(0, 1)])
    assert.ok(!deniedPage({ ...facts, providers }).body.includes('local account'), 'it could be no other');
  assert.match(page.body, /r1/);
  assert.match(page.body, /href="\/\.postern\/start\?switch=1&amp;to=%2F"/);
  assert.ok(!deniedPage({ ...facts, account: null, switchUrl: null }).body.includes('Use another account'));
  assert.deepEqual(JSON.parse(deniedPage({ ...facts, accept: 'application/json' }).body), {
    error: 'access_denied',
    status: 403,
    message: 'No access',
    request_id: 'r1',
  });
});

test('deniedPage() says which rule only where it is handed one', () => {
  const facts = { host: 'a', requestId: 'r1', account: null, switchUrl: null };
  const rule = { rule: 'group:<staff>', reason: 'groups are "guests"' };
  const page = deniedPage({ ...facts, rule });
  assert.match(page.body, /group:&lt;staff&gt;/);
  assert.match(page.body, /groups are &quot;guests&quot;/);
  assert.deepEqual(JSON.parse(deniedPage({ ...facts, rule, accept: 'application/json' }).body), {
    error: 'access_denied',
    status: 403,
    message: 'No access',
    ...rule,
    request_id: 'r1',
  });
  assert.ok(!deniedPage(facts).body.includes('<dl>'));
});

test('deniedPage() names each rule that could have let somebody in, where none did', () => {
  const tried = [
    { rule: 'kc:group:<staff>', reason: 'groups are none, wanted "<staff>"' },
    { rule: 'local:user:bob', reason: 'user is "ann", wanted "bob"' },
  ];
  const rule = { rule: '(no rule)', reason: 'none of 2 allow rules matches', tried };
  const facts = { host: 'a', requestId: 'r1', account: null, switchUrl: null, rule };
  for (const acceptLanguage of ['en', 'ko', 'zh']) {
    const { body } = deniedPage({ ...facts, acceptLanguage });
    const list = /<dl>([\s\S]*)<\/dl>/.exec(body)?.[1] ?? '';
    assert.match(
      list,
      /kc:group:&lt;staff&gt;<[\s\S]*groups are none[\s\S]*local:user:bob<[\s\S]*wanted &quot;bob&quot;/,
    );
    assert.doesNotMatch(list, /no rule|none of 2/, 'what says nothing to a reader of this language');
  }
  const told = JSON.parse(deniedPage({ ...facts, accept: 'application/json' }).body) as Record<string, unknown>;
  assert.deepEqual(told['tried'], tried);
});

test('deniedPage() says what a provider did not say, and only beside a rule what to change there', () => {
  const claims = {
    label: 'Acme <ID>',
    id: 'kc',
    preset: 'keycloak',
    missing: [{ what: 'groups', claims: ['groups'] }],
  } as const;
  const facts = {
    host: 'a',
    requestId: 'r1',
    account: { provider: 'local', name: 'bob', displayName: 'Bob' },
    switchUrl: null,
  };
  const rule = { rule: '(no rule)', reason: '"group:x" does not match' };
  const notesOn = (page: { readonly body: string }): string[] =>
    [...page.body.matchAll(/<p class="note">([^<]*)<\/p>/g)].map(([, text = '']) => text);
  assert.deepEqual(notesOn(deniedPage(facts)), []);
  for (const acceptLanguage of ['en', 'ko', 'zh']) {
    const [said = '', ...more] = notesOn(deniedPage({ ...facts, unsaid: claims, acceptLanguage }));
    assert.match(said, /Acme &lt;ID&gt;/);
    assert.deepEqual(more, []);
    for (const word of ['claim', 'providers', 'kc', 'mapper']) assert.ok(!said.includes(word), word);
    const known = notesOn(deniedPage({ ...facts, unsaid: claims, rule, acceptLanguage }));
    assert.equal(known.length, 2);
    assert.match(
      known[1] ?? '',
      /“groups”.*“Group Membership”.*(“groups_claim”.*“providers.kc”|“providers.kc”.*“groups_claim”)/,
    );
  }
  // The claim has a name of the operator's own, or it is about roles: the preset has no words for that.
  for (const missing of [
    [{ what: 'groups', claims: ['https://a/teams'] }],
    [{ what: 'roles', claims: ['groups'] }],
  ] as const) {
    const [, remedy = ''] = notesOn(deniedPage({ ...facts, unsaid: { ...claims, missing }, rule }));
    assert.match(remedy, /have Acme &lt;ID&gt; put it into its ID token or userinfo/);
    assert.ok(remedy.includes(missing[0].what === 'roles' ? '“roles_claim”' : '“https://a/teams”'));
  }
});

test('unsaidClaims() knows nothing of providers that are gone, or say what they like', () => {
  const local = { id: 'local', type: 'local', emailDomains: ['*'], at: [] } as const;
  assert.equal(unsaidClaims([local], { provider: 'local' }, { unsaid: ['groups'] }), null);
  assert.equal(unsaidClaims([local], { provider: 'gone' }, { unsaid: ['groups'] }), null);
  const claimsOf = { label: 'K', preset: 'oidc', groupsClaims: ['g'], rolesClaims: ['r'] };
  const oidc = { ...local, ...claimsOf, id: 'kc', type: 'oidc' } as unknown as OidcProvider;
  const claims = unsaidClaims([oidc], { provider: 'kc' }, { unsaid: ['roles'] });
  assert.deepEqual(claims?.missing, [{ what: 'roles', claims: ['r'] }]);
  assert.equal(unsaidClaims([oidc], { provider: 'kc' }, {}), null);
});

test('The pages for workers load nothing but themselves and node:crypto', () => {
  const files = ['error-page.ts', 'denied-page.ts'].map((file) => JSON.stringify(new URL(file, import.meta.url).href));
  const script = `await Promise.all([${files.join()}].map((file) => import(file)));
    console.log(process.getActiveResourcesInfo().length, process.moduleLoadList.filter((it) => /NativeModule (https?|http2|tls|sqlite|worker)$/.test(it)).length)`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.match(printed, /^\d+ 0$/m);
});

test('deniedPage() says for each thing that a provider did not say what that means, and to those who may know what to change', () => {
  const kc = {
    id: 'kc',
    type: 'oidc',
    preset: 'keycloak',
    label: 'Acme',
    userClaims: ['preferred_username'],
    groupsClaims: ['groups'],
    rolesClaims: ['roles'],
  } as unknown as OidcProvider;
  const hub = { id: 'hub', type: 'github', label: 'GitHub', emailDomains: [], at: [] } as unknown as GithubProvider;
  const notes = (provider: string, unsaid: readonly Unsaid[], acceptLanguage: string, mayKnow: boolean): string[] => {
    const claims = unsaidClaims([kc, hub], { provider }, { unsaid, withheld: ['acme', 'lab'] });
    const account = { provider, name: 'bob', displayName: 'Bob' };
    const facts = { host: 'h', requestId: 'r', account, switchUrl: null, acceptLanguage, mayKnow, unsaid: claims };
    return [...deniedPage({ ...facts, reason: 'no-app' }).body.matchAll(/<p class="note">([^<]*)<\/p>/g)].map(
      ([, text = '']) => text,
    );
  };
  const remedies: Readonly<Record<Unsaid, RegExp | null>> = {
    name: /“preferred_username”.*“(?:user_claim|providers\.kc)”/,
    groups: /“Group Membership”/,
    roles: /“roles”.*“(?:roles_claim|providers\.kc)”/,
    email: /“email”.*“providers\.kc”|“providers\.kc”.*“email”/,
    'verified-email': /“email_domains”.*“trust_email: true”|“trust_email: true”/,
    organisations: /Third-party application access policy/,
  };
  const seen = new Set<string>();
  for (const language of ['en', 'ko', 'zh'])
    for (const [what, remedy] of Object.entries(remedies) as [Unsaid, RegExp][]) {
      const [said = '', ...more] = notes('kc', [what], language, false);
      assert.deepEqual(more, [], `${language} ${what}`);
      assert.match(said, what === 'organisations' ? /acme, lab/ : /Acme/);
      assert.ok(!/claim|providers|_/.test(said), said);
      const known = notes('kc', [what], language, true);
      assert.deepEqual([known.length, known[0]], [2, said]);
      assert.match(known[1] ?? '', remedy, `${language} ${what}`);
      seen.add(said).add(known[1] ?? '');
    }
  assert.equal(seen.size, 3 * 6 * 2, 'nothing is said twice, in no language');
  // GitHub has no claims, and nobody can trust it beyond its word.
  assert.equal(notes('hub', ['email'], 'en', true).length, 1);
  assert.doesNotMatch(notes('hub', ['verified-email'], 'en', true)[1] ?? '', /trust_email/);
});
