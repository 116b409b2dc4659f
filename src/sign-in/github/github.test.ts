import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { APP, AUTH, OTHER, createRig, type Browser, type Page, type Rig, type RigOptions } from '../_rig.ts';
import type { Person } from '../../core/person.ts';
import type { GithubProvider } from '../../config/document/providers.ts';
import { compilePolicy } from '../../policy/compile.ts';
import { createAdmission } from '../admission.ts';
import { unsaidClaims } from '../pages/unsaid.ts';
import { readGrant, type Provider, type ProviderGrant } from '../provider.ts';
import { apiBaseOf, nextPage } from './api.ts';
import { createGithubProvider } from './provider.ts';
import { GithubTwin } from './_twin.ts';

interface GithubRig extends Rig {
  readonly twin: GithubTwin;
  readonly provider: Provider;
  readonly named: Set<string>;
}

function settingsFor(twin: GithubTwin, over: Partial<GithubProvider> = {}): GithubProvider {
  return {
    id: 'github',
    type: 'github',
    label: 'GitHub',
    url: twin.url,
    clientId: twin.clientId,
    clientSecret: twin.clientSecret,
    scopes: ['read:user', 'user:email', 'read:org'],
    emailDomains: ['example.com'],
    recheckMs: 300_000,
    caPem: null,
    at: [],
    ...over,
  };
}

async function withGithub(
  work: (rig: GithubRig) => Promise<void>,
  options: {
    readonly rig?: RigOptions;
    readonly settings?: Partial<GithubProvider>;
    readonly orgs?: readonly string[];
  } = {},
): Promise<void> {
  const twin = new GithubTwin();
  await twin.start();
  const clock = { now: () => Date.now() };
  const provider = createGithubProvider(settingsFor(twin, options.settings), {
    clock,
    namedOrganisations: () => options.orgs ?? [],
    log: () => undefined,
  });
  const providers = { find: (id: string) => (id === 'github' ? provider : null), list: () => [provider] };
  const named = new Set<string>();
  const rig = createRig({
    hasLocalAccounts: false,
    providers: () => providers,
    admit: (sessions) => createAdmission(sessions, () => named),
    ...options.rig,
  });
  try {
    await work({ ...rig, twin, provider, named });
  } finally {
    provider.close();
    rig.close();
    await twin.stop();
  }
}

const JUDGED = { route: 'app.example.com /*', rule: '(no rule)', shadow: null };

/** As the rules decide, and what the page is told of a refusal. */
function byRule(rule: string): NonNullable<RigOptions['mayEnter']> {
  const provider: GithubProvider = settingsFor(new GithubTwin());
  const input = { allow: [{ rule, at: [] }], routeDeny: [], hostDeny: [], providers: [provider] };
  const { policy } = compilePolicy(input);
  return ({ person }) => {
    const identity = { kind: 'person', person } as const;
    const decision = policy.decide({ identity, ip: null, clientCertificate: null, request: null });
    if (decision.kind !== 'deny') return decision;
    return { kind: 'deny', unsaid: unsaidClaims([provider], person, decision), judged: JUDGED };
  };
}

async function departure(browser: Browser, url: string): Promise<string> {
  let page = await browser.send(url);
  for (let hops = 0; hops < 5; hops++) {
    const location = page.headers.get('location') ?? '';
    if (location.includes('/login/oauth/authorize')) return location;
    assert.notEqual(location, '', `no way to GitHub: ${page.status} at ${page.url}`);
    page = await browser.send(location.startsWith('/') ? new URL(page.url).origin + location : location);
  }
  throw new Error('Cannot depart: too many redirects');
}

async function signInBy(browser: Browser, twin: GithubTwin, url = `${APP}/`): Promise<Page> {
  return browser.open(twin.visit(await departure(browser, url)));
}

function lastMessage({ events }: Rig): string {
  const event = events.at(-1);
  return event?.kind === 'provider-problem' ? `${event.reason}: ${event.message}` : JSON.stringify(event);
}

test('A person of GitHub is the numeric id; login, organisations and teams are in lower case', () =>
  withGithub(async ({ browser, twin, entries }) => {
    twin.account = {
      id: 583_231,
      login: 'OctoCat',
      name: 'The Octocat',
      emails: [
        { email: 'noise@other.test', primary: false, verified: true },
        { email: 'octo@example.com', primary: true, verified: true },
      ],
      organisations: ['Acme', 'github'],
      teams: ['Acme/platform', 'Elsewhere/core'],
    };
    const alice = browser();
    assert.equal((await signInBy(alice, twin, `${APP}/x?y=1`)).url, `${APP}/x?y=1`);
    const { person } = entries[0] ?? {};
    assert.deepEqual(
      [person?.provider, person?.subject, person?.name, person?.displayName, person?.email, person?.emailVerified],
      ['github', '583231', 'octocat', 'The Octocat', 'octo@example.com', true],
    );
    assert.deepEqual(person?.groups, ['acme', 'github', 'acme/platform'], 'a team counts with its organisation only');
    const query = twin.authorizations[0];
    assert.equal(query?.get('code_challenge_method'), 'S256');
    assert.equal(query?.get('scope'), 'read:user user:email read:org');
    twin.account = { id: 7, login: 'mallory', name: 'Alice\u202e\r\nX-Forwarded-User: root' };
    await signInBy(browser(), twin);
    assert.equal(entries.at(-1)?.person.displayName, 'mallory', 'a free text that moves others about is no name');
  }));

test('Only the primary address counts, and only if it is verified and the provider is listed for its domain', () =>
  withGithub(async ({ browser, twin, entries }) => {
    const cases: [email: string, primary: boolean, verified: boolean, counts: boolean][] = [
      ['a@example.com', true, true, true],
      ['a@example.com', true, false, false],
      ['a@example.com', false, true, false],
      ['a@other.test', true, true, false],
      ['a@evil.test@example.com', true, true, false],
    ];
    for (const [email, primary, verified, counts] of cases) {
      twin.account = { id: 7, login: 'alice', emails: [{ email, primary, verified }] };
      await signInBy(browser(), twin);
      assert.equal(entries.at(-1)?.person.emailVerified, counts, `${email} ${primary} ${verified}`);
    }
  }));

test('Lists are read to their last page; a link to elsewhere is not followed, but says that there is more', () =>
  withGithub(async ({ browser, twin, entries }) => {
    twin.account = { id: 7, login: 'alice', organisations: Array.from({ length: 250 }, (_, i) => `org-${i}`) };
    await signInBy(browser(), twin);
    assert.equal(entries[0]?.person.groups.length, 250);
    twin.evilLink = 'https://evil.example/user/orgs?page=2';
    await signInBy(browser(), twin);
    assert.equal(entries.at(-1)?.person.groups.length, 250);
    // Three pages by the links, and four by their numbers: the last is empty.
    assert.equal(twin.requests.filter((one) => one.includes('/user/orgs')).length, 7);
  }));

test('Whoever is in more teams than are read is known to be in more: a deny of a team must not let them by', () =>
  withGithub(async ({ browser, twin, entries }) => {
    const teams = Array.from({ length: 2_001 }, (_, i) => `acme/team-${i}`);
    twin.account = { id: 7, login: 'alice', organisations: ['acme'], teams: teams.slice(0, 1_999) };
    await signInBy(browser(), twin);
    assert.deepEqual([entries[0]?.person.groups.length, entries[0]?.person.cut], [2_000, undefined]);
    twin.account = { id: 7, login: 'alice', organisations: ['acme'], teams };
    await signInBy(browser(), twin);
    assert.deepEqual([entries.at(-1)?.person.groups.length, entries.at(-1)?.person.cut], [2_001, ['groups']]);
  }));

test('nextPage() answers only what lies under the API itself', () => {
  const base = 'https://ghe.example.com/api/v3';
  assert.equal(nextPage(`<${base}/user/orgs?page=2>; rel="next"`, base), `${base}/user/orgs?page=2`);
  assert.equal(nextPage(`<${base}/x?page=1>; rel="prev", <${base}/x?page=3>; rel="next"`, base), `${base}/x?page=3`);
  for (const target of [
    'https://evil.example/api/v3/x',
    'https://ghe.example.com.evil.example/api/v3/x',
    'https://ghe.example.com@evil.example/api/v3',
    'https://ghe.example.com/other',
    '/api/v3/x',
    'not a url',
  ])
    assert.equal(nextPage(`<${target}>; rel="next"`, base), null, target);
  assert.equal(nextPage(null, base), null);
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (link) => (nextPage(link, base) ?? base).startsWith(base)));
});

test('apiBaseOf() knows github.com, Enterprise Server and data residency', () => {
  assert.equal(apiBaseOf('https://github.com'), 'https://api.github.com');
  assert.equal(apiBaseOf('https://ghe.example.com'), 'https://ghe.example.com/api/v3');
  assert.equal(apiBaseOf('https://acme.ghe.com'), 'https://api.acme.ghe.com');
});

test('A login that a rule names belongs to the id that first came with it', () =>
  withGithub(async (rig) => {
    const { browser, twin, named, sessions, entries } = rig;
    named.add('github:user:alice');
    twin.account = { id: 1, login: 'Alice' };
    assert.equal((await signInBy(browser(), twin)).text, 'app for alice');
    // Alice gives her login up, and somebody else registers it.
    twin.account = { id: 2, login: 'alice' };
    const stranger = browser();
    const refused = await signInBy(stranger, twin);
    assert.equal(refused.status, 403);
    assert.equal(stranger.sessionToken(AUTH), undefined);
    assert.match(refused.text, /belongs to another one, which came with it first[\s\S]*postern user unpin/);
    assert.doesNotMatch(refused.text, /alice/i, 'whose it is, and the whole command, stand in the log');
    assert.match(
      lastMessage(rig),
      /not-admitted: .*"alice" belongs to id 1, but id 2 has it now; .*postern user unpin github:alice/,
    );
    // Alice under her new login is still Alice to rules and apps.
    twin.account = { id: 1, login: 'alice-new' };
    await signInBy(browser(), twin);
    assert.equal(entries.at(-1)?.person.name, 'alice');
    assert.equal(await sessions.unpinName('github', 'alice'), true);
    twin.account = { id: 2, login: 'alice' };
    assert.equal((await signInBy(browser(), twin)).text, 'app for alice');
  }));

test("A login that no rule names is nobody else's either: what apps keep under it is of the id that came first", () =>
  withGithub(async (rig) => {
    const { browser, twin, sessions, entries, named } = rig;
    twin.account = { id: 1, login: 'alice', organisations: ['acme'] };
    assert.equal((await signInBy(browser(), twin)).text, 'app for alice');
    // Alice renames herself, and a colleague takes her old login: not her socket, not her account at Grafana.
    twin.account = { id: 1, login: 'alice-new', organisations: ['acme'] };
    assert.equal((await signInBy(browser(), twin)).text, 'app for alice-new');
    twin.account = { id: 2, login: 'alice', organisations: ['acme'] };
    const colleague = browser();
    assert.equal((await signInBy(colleague, twin)).status, 403);
    assert.equal(colleague.sessionToken(AUTH), undefined);
    assert.match(lastMessage(rig), /not-admitted: .*"alice" belongs to id 1, but id 2 has it now/);
    // A rule that names it by now means whoever has it at GitHub: never the one who had it once.
    named.add('github:user:alice');
    twin.account = { id: 1, login: 'alice-new', organisations: ['acme'] };
    await signInBy(browser(), twin);
    assert.equal(entries.at(-1)?.person.name, 'alice-new');
    twin.account = { id: 2, login: 'alice', organisations: ['acme'] };
    assert.equal((await signInBy(browser(), twin)).status, 403, 'until the operator says so');
    assert.equal(await sessions.unpinName('github', 'alice'), true);
    assert.equal((await signInBy(browser(), twin)).text, 'app for alice');
    assert.equal(await sessions.findPinnedName('github', `2 of ${twin.url}`), 'alice');
  }));

test('A pinned login is of one server: whoever has its number at another does not inherit it', () =>
  withGithub(async ({ sessions, provider, browser, twin, entries }) => {
    twin.account = { id: 1, login: 'alice' };
    await signInBy(browser(), twin);
    const [{ person: alice } = assert.fail()] = entries;
    const admit = createAdmission(sessions, () => new Set(['github:user:alice', 'github:user:mallory']));
    const at = async (authority: string, person: Partial<Person>) => {
      const answer = await admit({ ...provider, authority }, { ...alice, ...person });
      return answer.kind === 'person' ? answer.person.name : answer.message;
    };
    assert.equal(await at(twin.url, {}), 'alice');
    // github.com first, then the document names an Enterprise Server under the same id.
    assert.equal(await at('https://github.com', { subject: '583231', name: 'mallory' }), 'mallory');
    assert.equal(await sessions.findPinnedName('github', '583231'), 'mallory');
    assert.equal(await at('https://ghe.example', { subject: '583231', name: 'bob' }), 'bob');
    assert.equal(await at(twin.url, { subject: '1', name: 'alice-new' }), 'alice', 'her own server knows her');
    assert.equal(await at('https://ghe.example', { subject: '1', name: 'carol' }), 'carol');
    assert.match(
      await at('https://ghe.example', { subject: '9', name: 'alice' }),
      /belongs to id 1 of http:\S+, but id 9 has it now/,
    );
  }));

test('An organisation that restricts third-party apps is explained to the person and in the log', () =>
  withGithub(
    async (rig) => {
      rig.twin.account = { id: 1, login: 'alice', organisations: ['acme'], teams: ['acme/core'] };
      rig.twin.restricted.add('acme');
      const page = await signInBy(rig.browser(), rig.twin, `${APP}/reports?q=1`);
      assert.equal(page.status, 403);
      assert.match(page.text, /does not say whether you are in acme/);
      assert.match(page.text, /oauth_application_policy|approve/);
      assert.equal((await rig.sessions.list()).length, 0, 'no session comes about');
      assert.deepEqual(page.refused, {
        person: { provider: 'github', name: 'alice' },
        wanted: { host: new URL(APP).hostname, path: '/reports', query: '?q=1' },
        decision: 'deny',
        judged: JUDGED,
      });
      assert.match(
        lastMessage(rig),
        /restricts third-party apps.*organizations\/acme\/settings\/oauth_application_policy/,
      );
      rig.twin.restricted.clear();
      assert.equal((await signInBy(rig.browser(), rig.twin)).text, 'app for alice');
      assert.deepEqual(rig.entries.at(-1)?.person.groups, ['acme', 'acme/core']);
    },
    {
      orgs: ['acme'],
      rig: { mayEnter: byRule('github:org:acme') },
    },
  ));

test('An organisation that keeps its members from this app or this address is explained, and keeps nobody out elsewhere', () =>
  withGithub(
    async (rig) => {
      for (const [set, remedy] of [
        [
          rig.twin.addressListed,
          /"acme".*add the one of this server to the IP allow list at .*\/acme\/settings\/security/,
        ],
        [rig.twin.withoutApp, /"acme".*install it there, with the organisation permission "Members: read"/],
      ] as const) {
        set.add('acme');
        rig.twin.account = { id: 1, login: 'alice', organisations: ['acme'], teams: ['acme/core'] };
        const alice = rig.browser();
        assert.equal((await signInBy(alice, rig.twin)).text, 'app for alice', 'no rule of this host looks at it');
        assert.deepEqual(rig.entries.at(-1)?.person.withheld, ['acme']);
        assert.deepEqual(rig.entries.at(-1)?.person.groups, []);
        assert.match(
          JSON.stringify(rig.events.findLast(({ kind }) => kind === 'signed-in')),
          new RegExp(remedy.source.replaceAll('"', '\\\\"')),
        );
        rig.twin.account = { id: 2, login: 'bob', organisations: ['acme'] };
        const page = await signInBy(rig.browser(), rig.twin, `${OTHER}/`);
        assert.equal(page.status, 403);
        assert.match(page.text, /does not say whether you are in acme/);
        assert.match(lastMessage(rig), remedy);
        set.clear();
        rig.twin.isSecondarilyLimited = true;
        const busy = await signInBy(rig.browser(), rig.twin, `${OTHER}/`);
        assert.equal(busy.status, 503, 'a limit is none of it');
        rig.twin.isSecondarilyLimited = false;
      }
    },
    {
      orgs: ['acme'],
      rig: {
        mayEnter: (facts) =>
          byRule(facts.host === new URL(OTHER).hostname ? 'github:org:acme' : 'github:user:alice')(facts),
      },
    },
  ));

test('An organisation that wants its single sign-on is explained, and an outsider gets no such word', () =>
  withGithub(
    async (rig) => {
      rig.twin.account = { id: 1, login: 'alice', organisations: ['acme'] };
      rig.twin.ssoRequired.add('acme');
      assert.match((await signInBy(rig.browser(), rig.twin)).text, /does not say whether you are in acme/);
      assert.match(lastMessage(rig), /requires its single sign-on/);
      rig.twin.ssoRequired.clear();
      rig.twin.account = { id: 2, login: 'mallory' };
      const page = await signInBy(rig.browser(), rig.twin);
      assert.equal(page.status, 403);
      assert.ok(!page.text.includes('does not say'));
    },
    {
      orgs: ['acme'],
      rig: { mayEnter: byRule('github:org:acme') },
    },
  ));

test('What an organisation keeps to itself is told where a rule looks at it, later on another host too, and nowhere else', () =>
  withGithub(
    async (rig) => {
      rig.twin.account = { id: 1, login: 'alice', organisations: ['acme', 'hidden'] };
      rig.twin.restricted.add('hidden');
      const alice = rig.browser();
      assert.equal((await signInBy(alice, rig.twin)).text, 'app for alice', 'no rule of this host looks at it');
      assert.deepEqual(rig.entries.at(-1)?.person.withheld, ['hidden']);
      const page = await alice.open(`${OTHER}/`);
      assert.equal(page.status, 403);
      assert.match(page.text, /GitHub does not say whether you are in hidden/);
      rig.twin.account = { id: 2, login: 'bob' };
      rig.twin.restricted.clear();
      const bob = await signInBy(rig.browser(), rig.twin, `${OTHER}/`);
      assert.ok(!bob.text.includes('does not say'), 'who is in no organisation is plainly refused');
    },
    {
      orgs: ['hidden'],
      rig: {
        mayEnter: (facts) =>
          byRule(facts.host === new URL(OTHER).hostname ? 'github:org:hidden' : 'github:user:alice')(facts),
      },
    },
  ));

test('An organisation that a rule names is the one that had the name first: whoever registers it again lets nobody in', () =>
  withGithub(async (rig) => {
    const { browser, twin, named, entries, sessions, provider } = rig;
    named.add('github:org:acme');
    twin.numbers = { acme: 10, other: 30 };
    twin.account = { id: 1, login: 'alice', organisations: ['Acme', 'other'], teams: ['Acme/core'] };
    await signInBy(browser(), twin);
    assert.deepEqual(entries.at(-1)?.person.groups, ['acme', 'other', 'acme/core']);
    // Acme renames itself; mallory registers the name that is free, and a team of the same name. No rule names "other".
    twin.numbers = { acme: 20, other: 31 };
    twin.account = { id: 2, login: 'mallory', organisations: ['acme', 'other'], teams: ['acme/core'] };
    await signInBy(browser(), twin);
    assert.deepEqual(entries.at(-1)?.person.groups, ['other']);
    const notes = rig.events.flatMap((event) => ('notes' in event ? (event.notes ?? []) : []));
    assert.match(notes.at(-1) ?? '', /"acme" does not count: .*id 10, but id 20 .*postern user unpin github:org:acme/);
    // A refresh says the same as a sign-in.
    const admit = createAdmission(sessions, () => named);
    const [signedIn] = await sessions.list({ provider: 'github', subject: '2' });
    const grant = readGrant(await sessions.findGrant(signedIn?.key ?? ''));
    const fresh = await provider.refresh(signedIn?.person as Person, grant as ProviderGrant);
    assert.ok(fresh.kind === 'known');
    assert.deepEqual(fresh.person.groups, ['acme', 'other', 'acme/core']);
    const again = await admit(provider, fresh.person, fresh.organisations);
    assert.deepEqual(again.kind === 'person' && again.person.groups, ['other']);
    assert.equal(await sessions.unpinName('github', 'org:acme'), true);
    await signInBy(browser(), twin);
    assert.deepEqual(entries.at(-1)?.person.groups, ['acme', 'other', 'acme/core']);
  }));

suite('Whatever GitHub answers has a page and a reason in the log', () => {
  const cases: Readonly<Record<string, readonly [(twin: GithubTwin) => void, number, RegExp]>> = {
    'the person cancels': [(twin) => (twin.authorizationError = 'access_denied'), 403, /denied: .*cancelled/],
    'the app is suspended': [(twin) => (twin.authorizationError = 'application_suspended'), 502, /registration: /],
    'the redirect URI is not registered': [
      (twin) => (twin.authorizationError = 'redirect_uri_mismatch'),
      502,
      /registration: .*register the callback/,
    ],
    'the rate limit is used up': [(twin) => (twin.limitedUntil = 4e9), 503, /unavailable: .*rate limit/],
    'GitHub is down': [(twin) => (twin.failsWith = 502), 503, /unavailable: /],
    'the app may not ask for teams': [
      (twin) => (twin.forbidden = '/user/teams'),
      502,
      /scope: .*"\/api\/v3\/user\/teams" answered 403.*"read:org".*"Members: read"/,
    ],
    'the app may not ask for addresses': [(twin) => (twin.forbidden = '/user/emails'), 502, /scope: .*"user:email"/],
    'GitHub knows no such app': [
      (twin) => (twin.knowsNoApp = true),
      502,
      /registration: .*check "client_id" and "url"/,
    ],
    'the API refuses': [(twin) => (twin.failsWith = 404), 400, /invalid: .*404/],
    'an error that nobody knows': [(twin) => (twin.authorizationError = '<script>'), 400, /invalid: /],
  };
  for (const [name, [prepare, status, expected]] of Object.entries(cases)) {
    test(name, () =>
      withGithub(async (rig) => {
        prepare(rig.twin);
        const alice = rig.browser();
        const page = await signInBy(alice, rig.twin);
        assert.equal(page.status, status);
        assert.ok(!page.text.includes('<script>'));
        assert.equal(alice.sessionToken(AUTH), undefined);
        assert.match(lastMessage(rig), expected);
      }),
    );
  }
  test('a callback address that is not registered is named on the page', () =>
    withGithub(async (rig) => {
      rig.twin.authorizationError = 'redirect_uri_mismatch';
      const { text } = await signInBy(rig.browser(), rig.twin);
      assert.ok(text.includes(`register the redirect URI &quot;${AUTH}/.postern/callback/github&quot;`), text);
    }));
  test('a permission that the app has not is not taken for a scope that nobody knows', () =>
    withGithub(async (rig) => {
      rig.twin.forbidden = '/user/emails';
      const page = await signInBy(rig.browser(), rig.twin);
      assert.match(page.text, /give the app at the provider the permission that the log names/);
      assert.doesNotMatch(page.text, /leave it out/);
    }));

  test('a wrong secret', () =>
    withGithub(
      async (rig) => {
        const page = await signInBy(rig.browser(), rig.twin);
        assert.equal(page.status, 502);
        assert.match(page.text, /Compare &quot;client_id&quot; and &quot;client_secret&quot;/);
        assert.match(lastMessage(rig), /registration: .*check "client_id" and "client_secret"/);
      },
      { settings: { clientSecret: 'wrong' } },
    ));
});

test('The re-check follows membership, ends with a revoked token, and bears limits and outages', () =>
  withGithub(async ({ browser, twin, provider, sessions, entries }) => {
    twin.account = { id: 1, login: 'alice', organisations: ['acme'] };
    const alice = browser();
    await signInBy(alice, twin);
    const [summary] = await sessions.list();
    const grant = readGrant(await sessions.findGrant(summary?.key ?? ''));
    assert.ok(grant !== null && summary !== undefined);
    const person = entries[0]?.person ?? summary.person;
    twin.account.organisations = [];
    const moved = await provider.refresh(person, grant);
    assert.deepEqual(moved.kind === 'known' ? moved.person.groups : moved, []);
    const until = Math.ceil(Date.now() / 1_000) + 1_800;
    twin.limitedUntil = until;
    const limited = await provider.refresh(person, grant);
    assert.equal(limited.kind === 'unavailable' ? limited.retryAt : null, until * 1_000);
    twin.limitedUntil = null;
    // Documented as 403, with no field that says so.
    twin.isSecondarilyLimited = true;
    const held = await provider.refresh(person, grant);
    assert.ok(held.kind === 'unavailable' && (held.retryAt ?? 0) > Date.now() + 30_000, JSON.stringify(held));
    twin.isSecondarilyLimited = false;
    twin.failsWith = 503;
    assert.equal((await provider.refresh(person, grant)).kind, 'unavailable');
    twin.failsWith = 403;
    const suspended = await provider.refresh(person, grant);
    assert.equal(suspended.kind, 'ended', 'who is suspended cannot ask who they are');
    twin.failsWith = null;
    twin.revokeTokens();
    const ended = await provider.refresh(person, grant);
    assert.match(ended.kind === 'ended' ? ended.message : ended.kind, /revoked or has expired/);
  }));

test("A GitHub App's token is renewed before it is too old", () =>
  withGithub(async ({ browser, twin, provider, sessions }) => {
    twin.expiresIn = 60;
    await signInBy(browser(), twin);
    const [summary] = await sessions.list();
    const grant = readGrant(await sessions.findGrant(summary?.key ?? ''));
    assert.ok(grant !== null && summary !== undefined && grant.refreshToken !== null);
    const renewed = await provider.refresh(summary.person, grant);
    assert.ok(renewed.kind === 'known' && renewed.grant.accessToken !== grant.accessToken);
    assert.equal((await provider.refresh(summary.person, grant)).kind, 'ended', 'the old one was used up');
  }));

async function signInForAMinute(rig: GithubRig): Promise<{ readonly person: Person; readonly grant: ProviderGrant }> {
  const { browser, twin, sessions } = rig;
  twin.expiresIn = 60;
  await signInBy(browser(), twin);
  const [summary] = await sessions.list();
  const grant = readGrant(await sessions.findGrant(summary?.key ?? ''));
  assert.ok(grant !== null && summary !== undefined);
  return { person: summary.person, grant };
}

test("A client secret that is wrong by now ends nobody's session: it says nothing of the person", () =>
  withGithub(async (rig) => {
    const { twin, provider } = rig;
    const { person, grant } = await signInForAMinute(rig);
    twin.hasNewSecret = true;
    const refused = await provider.refresh(person, grant);
    assert.match(
      refused.kind === 'unavailable' ? refused.message : refused.kind,
      /check "client_id" and "client_secret"/,
    );
    twin.hasNewSecret = false;
    assert.equal((await provider.refresh(person, grant)).kind, 'known');
  }));

test('A renewed token is kept where the API fails after it', () =>
  withGithub(async (rig) => {
    const { twin, provider } = rig;
    const { person, grant } = await signInForAMinute(rig);
    twin.failsWith = 503;
    const broken = await provider.refresh(person, grant);
    assert.ok(broken.kind === 'unavailable' && broken.grant !== undefined);
    twin.failsWith = null;
    assert.equal((await provider.refresh(person, broken.grant)).kind, 'known');
  }));

test('A code counts once, and in the browser that began', () =>
  withGithub(async ({ browser, twin }) => {
    const alice = browser();
    const back = twin.visit(await departure(alice, `${APP}/`));
    const mallory = browser();
    assert.equal((await mallory.open(back)).status, 400);
    const jar = [...alice.jar];
    assert.equal((await alice.open(back)).text, 'app for alice');
    const thief = browser();
    thief.jar.push(...jar);
    assert.equal((await thief.open(back)).status, 400);
    assert.equal(thief.sessionToken(AUTH), undefined);
  }));

test('Fuzz: no callback of a stranger gives a 2xx, a 5xx or an exception', { timeout: 7_200_000 }, () =>
  withGithub(async (rig) => {
    const text = fc.string({ unit: 'binary', maxLength: 100 });
    const query = fc.record({ state: text, code: text, error: text }, { requiredKeys: [] });
    const runs = Number(process.env['POSTERN_FUZZ'] ?? 200);
    await fc.assert(
      fc.asyncProperty(query, fc.boolean(), async (fields, isOwnState) => {
        // A state is good for one try, and whoever tries many in one moment would have to wait.
        rig.advance(1_000);
        const alice = rig.browser();
        const away = isOwnState ? new URL(await departure(alice, `${APP}/`)).searchParams.get('state') : null;
        const sent = new URLSearchParams({ ...fields, ...(away === null ? {} : { state: away }) }).toString();
        const page = await alice.send(`${AUTH}/.postern/callback/github?${sent}`);
        assert.ok([400, 403].includes(page.status), `${page.status} for ${sent}`);
        assert.equal(alice.sessionToken(AUTH), undefined);
      }),
      { numRuns: runs },
    );
    const asked = rig.twin.requests.filter((one) => one === 'POST /login/oauth/access_token').length;
    assert.ok(asked > runs / 100, `${asked} codes came as far as GitHub`);
    assert.ok(!rig.events.some((event) => event.kind === 'failed'));
  }),
);
