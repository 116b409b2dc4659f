/**
 * Membership is looked at again behind the back of requests: while GitHub thinks, refuses or is away, people go on, and what is
 * one person's holds up nobody else. By the twin, with a clock of ours.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, createRig, type Browser, type Rig, type RigOptions } from '../_rig.ts';
import { createAdmission } from '../admission.ts';
import { createRefresher, type Refresher } from '../refresher.ts';
import { createGithubProvider } from './provider.ts';
import { GithubTwin, type TwinAccount } from './_twin.ts';

const RECHECK_MS = 300_000;

interface RecheckRig extends Rig {
  readonly twin: GithubTwin;
  readonly refresher: Refresher;
  readonly logged: string[];
  readonly enter: (account: TwinAccount) => Promise<Browser>;
  readonly groupsOf: (login: string) => Promise<readonly string[] | null>;
}

async function withRecheck(
  work: (rig: RecheckRig) => Promise<void>,
  options: { readonly orgs?: readonly string[]; readonly rig?: RigOptions } = {},
): Promise<void> {
  const twin = new GithubTwin();
  await twin.start();
  const clock = { now: () => rig.deps.clock.now() };
  const settings = {
    id: 'github',
    type: 'github',
    label: 'GitHub',
    url: twin.url,
    clientId: twin.clientId,
    clientSecret: twin.clientSecret,
    scopes: ['read:user', 'read:org'],
    emailDomains: [],
    recheckMs: RECHECK_MS,
    caPem: null,
    at: [],
  } as const;
  const logged: string[] = [];
  const log = (_: string, message: string): unknown => logged.push(message);
  const provider = createGithubProvider(settings, { clock, namedOrganisations: () => options.orgs ?? [], log });
  const providers = { find: (id: string) => (id === 'github' ? provider : null), list: () => [provider] };
  const rig = createRig({ hasLocalAccounts: false, providers: () => providers, ...options.rig });
  const { sessions, deps } = rig;
  const refresher = createRefresher({ sessions, providers, clock, admit: deps.admit, log });
  const enter = async (account: TwinAccount): Promise<Browser> => {
    twin.account = account;
    const browser = rig.browser();
    let page = await browser.send(`${APP}/`);
    for (let location = ''; !location.startsWith(twin.url);) {
      location = page.headers.get('location') ?? '';
      assert.notEqual(location, '', `no way to GitHub: ${page.status} at ${page.url}`);
      page = location.startsWith(twin.url)
        ? await browser.open(twin.visit(location))
        : await browser.send(new URL(location, page.url).href);
    }
    assert.match(page.text, /^app for /);
    return browser;
  };
  const groupsOf = async (login: string): Promise<readonly string[] | null> =>
    (await sessions.list()).find(({ person }) => person.name === login)?.person.groups ?? null;
  try {
    await work({ ...rig, twin, refresher, logged, enter, groupsOf });
  } finally {
    provider.close();
    rig.close();
    await twin.stop();
  }
}

/** Only sessions that were used since are asked about. */
async function use(rig: RecheckRig, ms: number): Promise<void> {
  rig.advance(ms);
  const list = await rig.sessions.list();
  rig.sessions.touch(list.map(({ key }) => [key, rig.deps.clock.now()] as const));
}

async function settled(refresher: Refresher): Promise<void> {
  while (refresher.inFlight() > 0) await new Promise((done) => setTimeout(done, 5));
}

const ALICE: TwinAccount = { id: 1, login: 'alice', organisations: ['acme'] };
const BOB: TwinAccount = { id: 2, login: 'bob', organisations: ['acme'] };
const fresh = (account: TwinAccount): TwinAccount => ({
  ...account,
  organisations: [...(account.organisations ?? [])],
});

test('GitHub that holds its answer for ever holds up no request, no other person, and is not asked twice', () =>
  withRecheck(async (rig) => {
    const { twin, refresher, enter, groupsOf } = rig;
    const [alice, bob] = [fresh(ALICE), fresh(BOB)];
    const browser = await enter(alice);
    await enter(bob);
    const { promise: answer, resolve: answerNow } = Promise.withResolvers<void>();
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
    let questions = 0;
    twin.hold = async (login) => {
      if (login !== 'alice') return;
      questions++;
      isAsked();
      await answer;
    };
    alice.organisations = [];
    bob.organisations = ['acme', 'other'];
    await use(rig, RECHECK_MS);
    await refresher.tick();
    await asked;
    for (let n = 0; n < 20; n++) {
      assert.equal((await browser.open(`${APP}/${n}`)).text, 'app for alice', 'as she was, and at once');
      rig.advance(1_000);
      await refresher.tick();
    }
    while (refresher.inFlight() > 1) await new Promise((done) => setTimeout(done, 5));
    assert.deepEqual(await groupsOf('bob'), ['acme', 'other'], 'he is not behind her');
    assert.deepEqual(await groupsOf('alice'), ['acme'], 'nothing is known yet');
    assert.equal(questions, 1);
    answerNow();
    await settled(refresher);
    assert.deepEqual(await groupsOf('alice'), [], 'what GitHub said in the end counts');
  }));

test('a used-up limit is waited for to its end, signs nobody out, and is of nobody else', () =>
  withRecheck(async (rig) => {
    const { twin, refresher, enter, groupsOf, logged } = rig;
    const [alice, bob] = [fresh(ALICE), fresh(BOB)];
    const browser = await enter(alice);
    const reset = rig.deps.clock.now() + RECHECK_MS + 600_000;
    twin.limitedUntil = reset / 1_000;
    await use(rig, RECHECK_MS);
    await refresher.tick();
    await settled(refresher);
    assert.match(logged.join('\n'), /people who are signed in go on/);
    alice.organisations = [];
    const before = twin.requests.length;
    await use(rig, 300_000);
    await refresher.tick();
    await settled(refresher);
    assert.equal(twin.requests.length, before, 'not asked before the limit ends');
    assert.equal((await browser.open(`${APP}/`)).text, 'app for alice');
    assert.deepEqual(await groupsOf('alice'), ['acme']);
    twin.limitedUntil = null;
    await enter(bob);
    await use(rig, 310_000);
    await refresher.tick();
    await settled(refresher);
    assert.deepEqual(await groupsOf('alice'), []);
  }));

test('a token that its person took back ends the session at the re-check, and no other', () =>
  withRecheck(async (rig) => {
    const { twin, refresher, enter, groupsOf } = rig;
    const browser = await enter(fresh(ALICE));
    twin.revokeTokens();
    await enter(fresh(BOB));
    assert.equal((await browser.open(`${APP}/`)).text, 'app for alice', 'nobody has asked yet');
    await use(rig, RECHECK_MS);
    await refresher.tick();
    await settled(refresher);
    assert.equal(await groupsOf('alice'), null);
    assert.deepEqual(await groupsOf('bob'), ['acme']);
    assert.equal(
      (await browser.send(`${APP}/`, { headers: { accept: 'application/json', 'sec-fetch-mode': 'cors' } })).status,
      401,
    );
  }));

test('a clock that is set back by an hour puts no re-check off by an hour', () =>
  withRecheck(async (rig) => {
    const { refresher, enter, groupsOf } = rig;
    const alice = fresh(ALICE);
    await enter(alice);
    await refresher.tick();
    alice.organisations = [];
    rig.advance(-3_600_000);
    await refresher.tick();
    await settled(refresher);
    assert.deepEqual(await groupsOf('alice'), ['acme'], 'it is not due yet');
    await use(rig, RECHECK_MS + 1_000);
    await refresher.tick();
    await settled(refresher);
    assert.deepEqual(await groupsOf('alice'), []);
  }));

test('GitHub down, or in the middle of an answer: people go on as they were', () =>
  withRecheck(async (rig) => {
    const { twin, refresher, enter, groupsOf, logged } = rig;
    const alice = fresh(ALICE);
    const browser = await enter(alice);
    alice.organisations = [];
    const recheck = async (): Promise<void> => {
      const before = twin.requests.length;
      await use(rig, RECHECK_MS);
      await refresher.tick();
      await settled(refresher);
      assert.ok(twin.requests.length > before, 'it was asked');
    };
    for (const status of [500, 502, 429]) {
      twin.failsWith = status;
      await recheck();
      assert.deepEqual(await groupsOf('alice'), ['acme'], String(status));
    }
    twin.failsWith = null;
    twin.hold = async () => {
      // The connection breaks with the question on it.
      await twin.stop();
      await new Promise(() => undefined);
    };
    await recheck();
    assert.equal((await browser.open(`${APP}/`)).text, 'app for alice');
    assert.deepEqual(await groupsOf('alice'), ['acme']);
    assert.match(logged.join('\n'), /people who are signed in go on/);
  }));

test('what GitHub refuses about one person puts off the question about no other', () =>
  withRecheck(async (rig) => {
    const { twin, refresher, enter, sessions } = rig;
    await enter(fresh(ALICE));
    await enter(fresh(BOB));
    const keyOf = async (login: string): Promise<string> =>
      (await sessions.list()).find(({ person }) => person.name === login)?.key ?? '';
    twin.forbidden = '/user/orgs';
    assert.equal(await refresher.renew(await keyOf('alice')), 'unavailable');
    twin.forbidden = null;
    assert.equal(await refresher.renew(await keyOf('bob')), 'renewed');
    assert.equal((await sessions.list()).length, 2);
  }));

test('an organisation that begins to keep its members back takes the group away, and the log says what to change, once', () =>
  withRecheck(
    async (rig) => {
      const { twin, refresher, enter, groupsOf, logged } = rig;
      await enter(fresh(ALICE));
      await enter(fresh(BOB));
      const recheck = async (): Promise<readonly string[]> => {
        const from = logged.length;
        await use(rig, RECHECK_MS + 60_000);
        await refresher.tick();
        await settled(refresher);
        return logged.slice(from);
      };
      assert.deepEqual(await recheck(), []);
      twin.restricted.add('acme');
      const [said = '', ...more] = await recheck();
      assert.match(said, /"acme" restricts third-party apps.*acme\/settings\/oauth_application_policy/);
      assert.deepEqual(more, [], 'not of everybody');
      assert.deepEqual([await groupsOf('alice'), await groupsOf('bob')], [[], []]);
      assert.deepEqual(await recheck(), [], 'nor each time');
      twin.restricted.clear();
      assert.deepEqual(await recheck(), []);
      assert.deepEqual(await groupsOf('alice'), ['acme']);
      twin.addressListed.add('acme');
      assert.match((await recheck()).join('\n'), /^[^\n]*"acme".*IP allow list at [^\n]*$/);
      twin.addressListed.clear();
      await recheck();
      twin.restricted.add('acme');
      assert.match((await recheck()).join('\n'), /^[^\n]*restricts third-party apps[^\n]*$/, 'it was over in between');
    },
    { orgs: ['acme'] },
  ));

test('an organisation whose name another has taken up while people are in lets nobody in by it, and the log says so', () =>
  withRecheck(
    async (rig) => {
      const { twin, refresher, enter, groupsOf, logged } = rig;
      twin.numbers['acme'] = 1;
      await enter(fresh(ALICE));
      twin.numbers['acme'] = 2;
      await use(rig, RECHECK_MS);
      await refresher.tick();
      await settled(refresher);
      assert.deepEqual(await groupsOf('alice'), []);
      assert.match(logged.join('\n'), /^Organisation "acme" does not count: .*postern user unpin github:org:acme"$/);
    },
    { orgs: ['acme'], rig: { admit: (sessions) => createAdmission(sessions, () => new Set(['github:org:acme'])) } },
  ));
