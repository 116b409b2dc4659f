import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import { createAdmission } from '../admission.ts';
import { APP, AUTH, OTHER } from '../_rig.ts';
import { departure, signInBy, withOidc, type OidcRig } from './_rig.ts';
import type { Twin } from './_twin.ts';

test('One sign-in by a provider opens two apps on unrelated hosts', () =>
  withOidc(async ({ browser, twin, entries }) => {
    const alice = browser();
    const page = await signInBy(alice, twin, `${APP}/page?q=1&q=2`);
    assert.deepEqual([page.url, page.text], [`${APP}/page?q=1&q=2`, 'app for alice']);
    assert.equal((await alice.open(`${OTHER}/`)).text, 'app for alice');
    assert.equal(twin.authorizations.length, 1);
    const { person } = entries[0] ?? {};
    assert.deepEqual(
      [person?.provider, person?.subject, person?.email, person?.emailVerified],
      ['keycloak', 'sub-alice', 'alice@example.com', true],
    );
  }));

test('The authorization request carries PKCE S256, a nonce, and a state that is not the cookie', () =>
  withOidc(async ({ browser, twin }) => {
    const alice = browser();
    const url = new URL(await departure(alice, `${APP}/`));
    const query = url.searchParams;
    assert.equal(query.get('code_challenge_method'), 'S256');
    assert.match(query.get('code_challenge') ?? '', /^[\w-]{43}$/);
    assert.match(query.get('nonce') ?? '', /^[\w-]{43}$/);
    assert.equal(query.get('response_type'), 'code');
    assert.equal(query.get('redirect_uri'), `${AUTH}/.postern/callback/keycloak`);
    const flow = alice.jar.find((cookie) => cookie.name.includes('-f-'));
    assert.ok(flow !== undefined && flow.line.includes('HttpOnly') && flow.line.includes('SameSite=Lax'));
    assert.ok(!flow.value.includes(query.get('state') ?? '-'), 'the cookie is sealed');
    assert.ok(twin.issuer.startsWith(url.origin));
  }));

test('A provider that is down at the start: a clear page, then sign-in once it is there', () =>
  withOidc(
    async ({ browser, twin, logged }) => {
      const alice = browser();
      const page = await alice.open(`${APP}/`);
      assert.equal(page.status, 503);
      assert.match(page.text, /Twin is not available right now/);
      assert.ok(page.headers.has('retry-after'));
      assert.match(logged[0] ?? '', /cannot reach .*ECONNREFUSED/);
      await twin.start();
      await new Promise((done) => {
        setTimeout(done, 1_100);
      });
      assert.equal((await signInBy(alice, twin, `${APP}/`)).text, 'app for alice');
      assert.match(logged.at(-1) ?? '', /answers again/);
    },
    { isDown: true },
  ));

/** What the visitor is told, and the log. */
async function outcomeOf(
  prepare: (rig: OidcRig) => void,
  options: Parameters<typeof withOidc>[1] = {},
): Promise<{ status: number; text: string; log: string }> {
  let outcome = { status: 0, text: '', log: '' };
  await withOidc(async (rig) => {
    const alice = rig.browser();
    const away = await departure(alice, `${APP}/`);
    prepare(rig);
    const page = await alice.open(rig.twin.visit(away));
    const event = rig.events.at(-1);
    const log = event?.kind === 'provider-problem' ? `${event.reason}: ${event.message}` : '';
    outcome = { status: page.status, text: page.text, log };
    if (page.status !== 200) assert.equal(alice.sessionToken(AUTH), undefined);
  }, options);
  return outcome;
}

suite('Each error of a provider has a page and a reason in the log', () => {
  const cases: Readonly<Record<string, readonly [status: number, page: RegExp, log: RegExp]>> = {
    access_denied: [403, /did not sign you in/, /denied/],
    login_required: [403, /needs something from you first/, /interaction/],
    interaction_required: [403, /needs something from you first/, /interaction/],
    consent_required: [403, /needs something from you first/, /interaction/],
    account_selection_required: [403, /needs something from you first/, /interaction/],
    temporarily_unavailable: [503, /not available right now/, /unavailable/],
    server_error: [503, /not available right now/, /unavailable/],
    unauthorized_client: [502, /does not accept this site/, /registration: .*use the authorization code flow there/],
    invalid_request: [502, /does not accept this site/, /registration: .*with PKCE by S256/],
    'an unknown one <script>': [400, /could not be finished/, /invalid/],
  };
  for (const [error, [status, page, log]] of Object.entries(cases)) {
    test(error, async () => {
      const outcome = await outcomeOf(({ twin }) => (twin.error = error));
      assert.equal(outcome.status, status);
      assert.match(outcome.text, page);
      assert.ok(!outcome.text.includes('Told to') && !outcome.text.includes('<script>'), 'its words stay in the log');
      assert.match(outcome.log, log);
    });
  }
});

suite(
  'A setting that does not fit is told on the page in words, with what to change and no word of the provider',
  () => {
    const REDIRECT_URI = `${AUTH}/.postern/callback/keycloak`;
    const cases: Readonly<Record<string, readonly [prepare: (rig: OidcRig) => void, page: RegExp]>> = {
      'a wrong secret': [
        ({ twin }) =>
          (twin.tokenError = { status: 401, body: { error: 'invalid_client', error_description: 'Told to' } }),
        /Compare &quot;client_id&quot; and &quot;client_secret&quot;/,
      ],
      'a client that shows no secret': [
        ({ twin }) => {
          const body = { error: 'invalid_client', error_description: 'Told to: no client_assertion' };
          twin.tokenError = { status: 400, body };
        },
        /prove itself by its id and secret/,
      ],
      'a client without the code flow': [({ twin }) => (twin.error = 'unauthorized_client'), /authorization code flow/],
    };
    for (const [name, [prepare, expected]] of Object.entries(cases))
      test(name, async () => {
        const { status, text, log } = await outcomeOf(prepare);
        assert.equal(status, 502);
        assert.match(text, expected);
        assert.ok(!text.includes('Told to') && !text.includes(REDIRECT_URI));
        assert.match(log, /registration: /);
      });

    test('another issuer', () =>
      withOidc(
        async ({ browser }) => {
          const page = await browser().open(`${APP}/`);
          assert.equal(page.status, 502);
          assert.match(page.text, /&quot;issuer&quot; of this provider is not what the provider calls itself/);
          assert.ok(!page.text.includes('other.example'), 'what it calls itself stays in the log');
        },
        { prepare: (twin) => (twin.describe = (metadata) => ({ ...metadata, issuer: 'https://other.example' })) },
      ));

    test('an address where no provider is, or which speaks otherwise, is no outage alone', async () => {
      const server = createServer((_, response) => response.writeHead(404).end('no such realm'));
      await new Promise<void>((done) => {
        server.listen(0, '127.0.0.1', done);
      });
      const other = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realms/none`;
      try {
        for (const namesIssuer of [() => other, (twin: Twin) => twin.issuer.replace('http:', 'https:')])
          await withOidc(
            async ({ browser, events, twin }) => {
              const page = await browser().open(`${APP}/`);
              assert.equal(page.status, 503);
              assert.match(page.text, /Check name, scheme, port and path of &quot;issuer&quot;/);
              assert.ok(!page.text.includes(namesIssuer(twin)), 'which one it is stays in the log');
              const event = events.at(-1);
              assert.match(event?.kind === 'provider-problem' ? event.message : '', /"issuer" of "providers.keycloak"/);
            },
            { namesIssuer },
          );
      } finally {
        server.close();
      }
      await withOidc(
        async ({ browser }) => {
          const page = await browser().open(`${APP}/`);
          assert.equal(page.status, 503);
          assert.doesNotMatch(page.text, /whoever runs this site/, 'one that is down is told as that');
        },
        { isDown: true },
      );
    });
  },
);

test('A page of the provider that was too old is no outage of it (Keycloak: authentication_expired)', async () => {
  const outcome = await outcomeOf(({ twin }) => {
    twin.error = 'temporarily_unavailable';
    twin.errorDescription = 'authentication_expired';
  });
  assert.equal(outcome.status, 400);
  assert.match(outcome.text, /took too long[\s\S]*provider=keycloak&amp;ticket=/);
  assert.match(outcome.log, /invalid: .*authentication_expired/);
});

test('A scope that the provider refuses is explained with the remedy, on the page and in the log', async () => {
  const { status, text, log } = await outcomeOf(() => undefined, {
    settings: { scopes: ['openid', 'profile', 'email', 'groups'] },
  });
  assert.equal(status, 502);
  assert.match(text, /leave it out of &quot;scopes&quot; of this provider/);
  assert.match(log, /scope: .*Invalid scopes: groups.*leave it out of "scopes" of "providers.keycloak"/);
});

test('A wrong secret is said with the remedy, and the token endpoint being down is no fault of the visitor', async () => {
  const wrong = await outcomeOf(() => undefined, { settings: { clientSecret: 'wrong' } });
  assert.equal(wrong.status, 502);
  assert.match(wrong.log, /registration: .*client_secret/);
  const down = await outcomeOf(({ twin }) => (twin.tokenError = { status: 503, body: {} }));
  assert.equal(down.status, 503);
  assert.match(down.log, /unavailable/);
});

test('An issuer that names itself otherwise is refused, with what to write', () =>
  withOidc(
    async ({ browser, events, twin }) => {
      const page = await browser().open(`${APP}/`);
      assert.equal(page.status, 502);
      const event = events.at(-1);
      assert.match(event?.kind === 'provider-problem' ? event.message : '', new RegExp(`issuer: ${twin.issuer}`));
    },
    { namesIssuer: (twin) => twin.issuer.replace('127.0.0.1', 'localhost') },
  ));

test('Userinfo is asked only for what is missing, and only believed for the same person', async () => {
  await withOidc(
    async ({ browser, twin, entries }) => {
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries[0]?.person.groups, ['/from-userinfo']);
      assert.ok(twin.requests.includes('GET /userinfo'));
      twin.requests.length = 0;
      const roles = { realm_access: { roles: [] }, resource_access: { wiki: { roles: [] } } };
      twin.claims = { ...twin.claims, groups: [], ...roles };
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.groups, [], 'an empty claim is there');
      assert.ok(!twin.requests.includes('GET /userinfo'));
    },
    { prepare: (twin) => (twin.userinfo = { groups: ['/from-userinfo'], email: 'other@example.com' }) },
  );
  const other = await outcomeOf(({ twin }) => (twin.userinfo = { sub: 'sub-bob', groups: ['/root'] }), {
    prepare: (twin) => (twin.userinfo = {}),
  });
  assert.equal(other.status, 400);
  assert.match(other.log, /invalid: .*sub/);
});

test('acr_values must come back, hosted domains must be the claim, max_age must be kept', async () => {
  const acr = { settings: { acrValues: ['phr', 'phrh'] } };
  assert.equal((await outcomeOf(({ twin }) => (twin.claims = { ...twin.claims, acr: 'phrh' }), acr)).status, 200);
  for (const value of [undefined, '0', ['phr'], 'phr ']) {
    const weak = await outcomeOf(({ twin }) => (twin.claims = { ...twin.claims, acr: value }), acr);
    assert.deepEqual([weak.status, /not-admitted: .*acr/.test(weak.log)], [403, true], String(value));
  }
  const hosted = { settings: { hostedDomains: ['example.com'], parameters: { hd: 'example.com' } } };
  assert.equal(
    (await outcomeOf(({ twin }) => (twin.claims = { ...twin.claims, hd: 'example.com' }), hosted)).status,
    200,
  );
  for (const hd of [undefined, 'evil.test', ['example.com']]) {
    const other = await outcomeOf(({ twin }) => (twin.claims = { ...twin.claims, hd }), hosted);
    assert.match(other.log, /not-admitted: .*not of "example.com"/);
  }
  const several = { settings: { hostedDomains: ['example.com', 'example.org'] } };
  for (const [hd, status] of [
    ['example.com', 200],
    ['example.org', 200],
    ['example.net', 403],
    [undefined, 403],
  ] as const) {
    const one = await outcomeOf(({ twin }) => (twin.claims = { ...twin.claims, hd }), several);
    assert.equal(one.status, status, hd);
    if (status === 403) assert.match(one.log, /not-admitted: .*not of "example.com" or "example.org"/);
  }
  const fresh = { settings: { maxAgeSeconds: 60 } };
  const now = Math.floor(Date.now() / 1_000);
  assert.equal(
    (await outcomeOf(({ twin }) => (twin.claims = { ...twin.claims, auth_time: now - 5 }), fresh)).status,
    200,
  );
  const old = await outcomeOf(({ twin }) => (twin.claims = { ...twin.claims, auth_time: now - 600 }), fresh);
  assert.match(old.log, /interaction: .*max_age/);
  const silent = await outcomeOf(() => undefined, fresh);
  assert.equal(silent.status, 502, 'no auth_time at all');
  assert.match(
    silent.log,
    /registration: .*does not say when the person signed in \("auth_time"\).*"max_age" of "providers.keycloak"/,
  );
  assert.match(silent.text, /auth_time.*max_age/);
});

test('prompt and acr_values are asked for; another account asks the provider to show its own form', () =>
  withOidc(
    async ({ browser, twin }) => {
      const alice = browser();
      await signInBy(alice, twin, `${APP}/`);
      assert.equal(twin.authorizations[0]?.get('prompt'), 'consent');
      assert.equal(twin.authorizations[0]?.get('acr_values'), null);
      const away = (await alice.send(`${AUTH}/.postern/sign-in?switch=1`)).headers.get('location') ?? '';
      assert.equal(new URL(away).searchParams.get('prompt'), 'login');
    },
    { settings: { prompt: 'consent' } },
  ));

test('Another account that turns out to be the same is told so where it is refused: not every provider knows "prompt"', () =>
  withOidc(
    async ({ browser, twin, advance }) => {
      const alice = browser();
      const refused = await signInBy(alice, twin, `${APP}/`);
      assert.equal(refused.status, 403);
      assert.ok(!refused.text.includes('same account'), 'nobody asked for another');
      const [, link = ''] = /href="([^"]*switch=1[^"]*)"/.exec(refused.text) ?? [];
      advance(1_000);
      const another = new URL(link.replaceAll('&amp;', '&'), AUTH).href;
      const again = await signInBy(alice, twin, another);
      assert.equal(again.status, 403);
      assert.match(again.text, /Twin brought you back with the same account.*sign out at Twin first/);
      twin.claims = { sub: 'sub-bob', preferred_username: 'bob' };
      const bob = await signInBy(alice, twin, another);
      assert.deepEqual([bob.status, bob.text.includes('same account')], [403, false]);
      const forged = await browser().open(`${another}&continue=signed-in&same=1`);
      assert.ok(!forged.text.includes('same account'), 'whoever is not signed in');
    },
    { rig: { mayEnter: () => ({ kind: 'deny' }) } },
  ));

test('ui_locales says the languages of the person to a provider that knows it, and to no other', async () => {
  for (const supported of [undefined, ['en', 'ko']])
    await withOidc(
      async ({ browser, twin }) => {
        const ask = { headers: { 'accept-language': 'ko-KR,ko;q=0.9,en;q=0.5' } };
        const away = (await browser().send(`${AUTH}/.postern/sign-in?switch=1`, ask)).headers.get('location') ?? '';
        assert.equal(new URL(away).origin, twin.issuer);
        assert.equal(new URL(away).searchParams.get('ui_locales'), supported === undefined ? null : 'ko-KR ko en');
      },
      {
        prepare: (twin) => {
          twin.describe = (metadata) => ({ ...metadata, ui_locales_supported: supported });
        },
      },
    );
});

suite('probe() tries what can be tried without a person, and says what to change', () => {
  const callback = `${AUTH}/.postern/callback/keycloak`;
  const wrong = async (
    options: Parameters<typeof withOidc>[1],
    prepare: (twin: Twin) => void = () => undefined,
  ): Promise<string> => {
    let said = '';
    await withOidc(async ({ provider, twin }) => {
      prepare(twin);
      said = (await provider.probe(callback)).flatMap(({ ok, message }) => (ok ? [] : [message])).join('; ');
    }, options);
    return said;
  };
  test('all is well', async () => assert.equal(await wrong({}), ''));
  test('the provider is down', async () => assert.match(await wrong({ isDown: true }), /cannot reach .*ECONNREFUSED/));
  test('another issuer', async () => {
    const named = { namesIssuer: (twin: Twin) => twin.issuer.replace('127.0.0.1', 'localhost') };
    assert.match(await wrong(named), /write "issuer: http/);
  });
  test('a wrong secret', async () =>
    assert.match(
      await wrong({ settings: { clientSecret: 'x' } }),
      /check "client_id" and "client_secret"|client_secret/,
    ));
  test('a redirect URI that is not registered', async () =>
    assert.match(
      await wrong({}, (twin) => (twin.redirectUri = 'https://other')),
      /register the redirect URI "https:\/\/auth/,
    ));
  test('a claim that the provider does not list, in the words of its kind', async () => {
    const messages = async (claims: readonly string[] | undefined, preset = 'oidc'): Promise<string> => {
      let said = '';
      await withOidc(
        async ({ provider }) => {
          said = (await provider.probe(callback)).map(({ ok, message }) => `${ok} ${message}`).join('; ');
        },
        {
          settings: { preset },
          prepare: (twin) => (twin.describe = (metadata) => ({ ...metadata, claims_supported: claims })),
        },
      );
      return said;
    };
    const missing = await messages(['sub', 'email'], 'keycloak');
    assert.match(
      missing,
      /true does not list the claim "groups", which "group:" needs: .*add a mapper "Group Membership"/,
    );
    assert.match(missing, /or name the claim by "groups_claim" of "providers.keycloak"/);
    assert.match(await messages(['sub', 'email']), /have "keycloak" send it/);
    for (const good of [['sub', 'groups'], [], undefined]) assert.doesNotMatch(await messages(good), /does not list/);
  });
  test('a client that the provider does not know is said once: it has no redirect URI either', async () => {
    const said = await wrong({ settings: { clientSecret: 'x' } }, (twin) => (twin.redirectUri = 'https://other'));
    assert.match(said, /check "client_id" and "client_secret"/);
    assert.doesNotMatch(said, /redirect URI|; Provider/);
  });
  for (const [error, words, expected] of [
    [
      'unauthorized_client',
      'Standard flow is disabled for the client.',
      /\(Standard flow is disabled.*"Standard flow"/,
    ],
    ['invalid_request', 'Missing parameter: code_challenge_method', /\(Missing parameter.*PKCE by S256/],
    [
      'access_denied',
      '',
      /answered "access_denied" to the first step of a sign-in; look at the client "client-of-\w+" there/,
    ],
  ] as const)
    test(`the provider refuses the first step: ${error}`, async () => {
      const said = await wrong({}, (twin) => {
        twin.error = error;
        twin.errorDescription = words;
      });
      assert.match(said, expected);
      assert.doesNotMatch(said, /redirect URI/);
    });
  test('an address that speaks otherwise', async () => {
    const at = (change: (issuer: string) => string) => wrong({ namesIssuer: (twin) => change(twin.issuer) });
    assert.match(await at((issuer) => issuer.replace('http:', 'https:')), /check scheme and port of "issuer"/);
  });
  test('an unknown scope', async () =>
    assert.match(
      await wrong({ settings: { scopes: ['openid', 'groups'] } }),
      /refuses a scope .*leave it out of "scopes"/,
    ));
});

test('Tabs that open at once with long links leave room in the head of a request, and each comes to its own', () =>
  withOidc(async ({ browser, twin }) => {
    const alice = browser();
    const links = Array.from({ length: 20 }, (_, n) => `${APP}/d/${'dashboard'.repeat(120)}?tab=${n}`);
    const away = await Promise.all(links.map((link) => departure(alice, link)));
    const bytes = alice.cookieHeader(`${AUTH}/`).length;
    assert.ok(bytes < 16_384, `${bytes} bytes of cookies`);
    for (const [n, url] of away.entries()) assert.equal((await alice.open(twin.visit(url))).url, links[n]);
    // Where the store has no room left for an address, the cookie still has.
    const crowd = await Promise.all(
      Array.from({ length: 220 }, async (_, n) => {
        const visitor = browser();
        const link = `${APP}/d/${'dashboard'.repeat(40)}?tab=${n}`;
        return { visitor, link, url: await departure(visitor, link) };
      }),
    );
    const { visitor, link, url } = crowd.at(-1) ?? assert.fail();
    assert.equal((await visitor.open(twin.visit(url))).url, link);
  }));

test('Two hundred sign-ins at once: everybody becomes who they are', () =>
  withOidc(async ({ browser, twin }) => {
    const people = Array.from({ length: 200 }, (_, i) => `person-${i}`);
    const ways = await Promise.all(
      people.map(async (name) => {
        const own = browser();
        return { name, own, away: await departure(own, `${APP}/`) };
      }),
    );
    const backs = ways.map(({ name, away }) => {
      twin.claims = { sub: `sub-${name}`, preferred_username: name };
      return twin.visit(away);
    });
    const pages = await Promise.all(ways.map(({ own }, i) => own.open(backs[i] ?? '')));
    assert.deepEqual(
      pages.map((page) => page.text),
      people.map((name) => `app for ${name}`),
    );
  }));

test('A name stays with the account that came with it first where people rename themselves, and nowhere else', async () => {
  const comesAs = (preset: string, check: (names: readonly (string | null)[]) => void): Promise<void> =>
    withOidc(
      async ({ browser, twin, sessions, events }) => {
        const names: (string | null)[] = [];
        for (const [sub, name] of [
          ['1', 'alice'],
          ['1', 'alice-new'],
          ['2', 'alice'],
        ]) {
          twin.claims = { sub, preferred_username: name };
          const page = await signInBy(browser(), twin, `${APP}/`);
          names.push(page.status === 200 ? page.text : null);
        }
        const last = events.at(-1);
        if (names[2] === null) assert.match(JSON.stringify(last), /not-admitted.*postern user unpin keycloak:alice/);
        if (names[2] === null) assert.equal(await sessions.unpinName('keycloak', 'alice'), true);
        if (names[2] === null) assert.equal((await signInBy(browser(), twin, `${APP}/`)).text, 'app for alice');
        check(names);
      },
      {
        settings: { preset },
        rig: { admit: (sessions) => createAdmission(sessions, () => new Set(['keycloak:user:alice'])) },
      },
    );
  for (const preset of ['gitlab', 'gitea', 'forgejo', 'pocket-id', 'dex'])
    await comesAs(preset, (names) => assert.deepEqual(names, ['app for alice', 'app for alice', null], preset));
  // Whoever administers accounts gives names away: a new account is who they say.
  for (const preset of ['keycloak', 'oidc', 'entra-id'])
    await comesAs(preset, (names) =>
      assert.deepEqual(names, ['app for alice', 'app for alice-new', 'app for alice'], preset),
    );
});
