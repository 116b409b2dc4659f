/* oxlint-disable max-lines-per-function -- a suite of tests is one function */
/** The promises that every keeper of sessions keeps. Each of them runs it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { assert as check, array, asyncProperty, constantFrom, string, oneof } from 'fast-check';
import { Browser, foundOf, headersOf, HOUR, kindOf, makeSession, NAME, PLACE, signIn } from './_keeper-rig.ts';
import { CookieLine } from '../../wire/cookie-line.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { DeskKeeper } from './session-desk.ts';
import type { FakeClock, FakeSecret, SettingsOver } from './_keeper-rig.ts';

export interface KeeperRig {
  readonly keeper: DeskKeeper;
  readonly clock: FakeClock;
  readonly secret: FakeSecret;
  /** Another process with the same store and settings, or settings that differ as given. */
  readonly restart: (over?: SettingsOver) => Promise<DeskKeeper>;
  readonly close: () => Promise<void>;
}

export interface KeeperTraits {
  readonly name: string;
  readonly open: (over?: SettingsOver) => Promise<KeeperRig>;
  readonly skip?: string | false;
  /** False for sealed cookies without a store: what was copied counts elsewhere until it expires. */
  readonly revokesEverywhere: boolean;
}

const PRESENT = 'absent, had a cookie';
const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 2_000);

/** Flips one bit of a base64url character. */
function flip(text: string, at: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const other = alphabet[(alphabet.indexOf(text[at] ?? '') ^ 1) & 63] ?? 'A';
  return text.slice(0, at) + other + text.slice(at + 1);
}

export function keeperContract({ name, open, revokesEverywhere, skip = false }: KeeperTraits): void {
  const promise = (title: string, body: (rig: KeeperRig) => Promise<void>, over?: SettingsOver): void => {
    test(title, { skip }, async () => {
      const rig = await open(over);
      try {
        await body(rig);
      } finally {
        await rig.close();
      }
    });
  };

  suite(`${name} keeps the contract of keepers`, () => {
    promise('find() gives back the session that open() was given, all of it', async ({ keeper }) => {
      const session = makeSession();
      const browser = await signIn(keeper, session);
      const found = await foundOf(keeper, browser.headers);
      assert.deepEqual(found.session, session);
      assert.deepEqual((await foundOf(keeper, browser.headers)).session, session);
    });

    promise('find() answers at once for a session that it knows', async ({ keeper }) => {
      const browser = await signIn(keeper);
      await keeper.find(browser.headers);
      assert.ok(!(keeper.find(browser.headers) instanceof Promise));
      const { headers } = browser;
      headers.isRemembered = true;
      assert.equal(await kindOf(keeper, headers), 'found');
      assert.ok(!(keeper.find(headers) instanceof Promise));
    });

    promise('a Cookie line that is known counts no longer than its session', async ({ keeper, clock }) => {
      const browser = await signIn(keeper, makeSession({ createdAt: clock.at - HOUR }));
      const repeated = (): HeaderBlock => {
        const { headers } = browser;
        headers.cookieLine = line;
        return headers;
      };
      const line = new CookieLine('Cookie: x\r\n', 6, 8, 9, null);
      for (let i = 0; i < 2; i++) assert.equal(await kindOf(keeper, repeated()), 'found');
      clock.advance(167 * HOUR - 1);
      assert.equal(await kindOf(keeper, repeated()), 'found');
      clock.advance(1);
      assert.equal(await kindOf(keeper, repeated()), PRESENT);
      const other = await signIn(keeper);
      const otherLine = new CookieLine('Cookie: y\r\n', 6, 8, 9, null);
      for (const _ of [1, 2]) {
        const { headers } = other;
        headers.cookieLine = otherLine;
        assert.equal(await kindOf(keeper, headers), 'found');
      }
      await keeper.end(other.headers, PLACE);
      const { headers } = other;
      headers.cookieLine = otherLine;
      assert.equal(await kindOf(keeper, headers), PRESENT, 'what was ended is ended for a known line too');
    });

    promise('find() tells who brought nothing from who brought something that does not count', async ({ keeper }) => {
      assert.equal(await kindOf(keeper, headersOf()), 'absent');
      assert.equal(await kindOf(keeper, headersOf('a=b; _oauth2_proxy_csrf=x; x_oauth2_proxy=1')), 'absent');
      for (const line of [`${NAME}=`, `${NAME}=x`, `${NAME}="x"`, `${NAME}=|||`, `${NAME}_0=x`, `a=b; ${NAME}_12=x`])
        assert.equal(await kindOf(keeper, headersOf(line)), PRESENT, line);
    });

    promise('sessions outlive a restart', async ({ keeper, restart }) => {
      const browser = await signIn(keeper);
      const other = await restart();
      assert.deepEqual((await foundOf(other, browser.headers)).session, makeSession());
    });

    promise('cookie-expire counts from createdAt', async ({ keeper, clock }) => {
      const browser = await signIn(keeper, makeSession({ createdAt: clock.at - HOUR }));
      await keeper.find(browser.headers);
      clock.advance(167 * HOUR - 1);
      assert.equal(await kindOf(keeper, browser.headers), 'found');
      clock.advance(1);
      assert.equal(await kindOf(keeper, browser.headers), PRESENT);
      assert.equal(await kindOf(keeper, browser.headers), PRESENT);
    });

    promise('cookie-expire of a later start counts for sessions that are open', async ({ keeper, restart, clock }) => {
      const browser = await signIn(keeper);
      clock.advance(2 * HOUR);
      assert.equal(await kindOf(await restart({ cookie: { expireMs: HOUR } }), browser.headers), PRESENT);
      assert.equal(await kindOf(await restart(), browser.headers), 'found');
    });

    promise(
      'cookie-expire 0 makes a cookie of the browser session, which is bounded all the same',
      async ({ keeper, clock }) => {
        const lines = await keeper.open(makeSession(), PLACE, headersOf());
        assert.ok(lines.every((line) => !line.includes('Max-Age')));
        const browser = new Browser();
        browser.take(lines);
        clock.advance(29 * 24 * HOUR);
        assert.equal(await kindOf(keeper, browser.headers), 'found');
        clock.advance(24 * HOUR);
        assert.equal(await kindOf(keeper, browser.headers), PRESENT);
      },
      { cookie: { expireMs: 0 } },
    );

    promise('replace() keeps new content, and time counts from its createdAt', async ({ keeper, clock, restart }) => {
      const browser = await signIn(keeper);
      const { handle } = await foundOf(keeper, browser.headers);
      clock.advance(100 * HOUR);
      const fresh = makeSession({ createdAt: clock.at, accessToken: 'access.2', refreshToken: 'refresh-2' });
      const lines = await keeper.replace(handle, fresh, PLACE, browser.headers);
      assert.match(lines[0] ?? '', /; Max-Age=604800;/);
      browser.take(lines);
      assert.deepEqual((await foundOf(keeper, browser.headers)).session, fresh);
      clock.advance(167 * HOUR);
      assert.deepEqual((await foundOf(keeper, browser.headers)).session, fresh);
      assert.deepEqual((await foundOf(await restart(), browser.headers)).session, fresh);
    });

    promise('end() ends the session and clears every cookie of it', async ({ keeper, restart }) => {
      const browser = await signIn(keeper);
      const copy = browser.headers;
      assert.equal(await kindOf(keeper, copy), 'found');
      browser.take(await keeper.end(copy, PLACE));
      assert.equal(browser.cookies.size, 0);
      assert.equal(await kindOf(keeper, copy), PRESENT);
      if (revokesEverywhere) assert.equal(await kindOf(await restart(), copy), PRESENT);
    });

    promise('end() of nothing is nothing', async ({ keeper }) => {
      assert.deepEqual(await keeper.end(headersOf(), PLACE), []);
      assert.deepEqual(await keeper.end(headersOf('a=b'), PLACE), []);
    });

    promise('replace() does not bring back what was ended meanwhile', async ({ keeper }) => {
      const browser = await signIn(keeper);
      const { handle } = await foundOf(keeper, browser.headers);
      await keeper.end(browser.headers, PLACE);
      await assert.rejects(keeper.replace(handle, makeSession(), PLACE, browser.headers), { code: 'ACCESS_DENIED' });
      assert.equal(await kindOf(keeper, browser.headers), PRESENT);
    });

    promise('clear() clears what came, and the session goes on', async ({ keeper }) => {
      const browser = await signIn(keeper);
      const lines = keeper.clear(headersOf(browser.line, `${NAME}_3=x; ${NAME}_csrf=y; ${NAME}_11=z`), PLACE);
      for (const one of [`${NAME}_3`, `${NAME}_11`, ...browser.cookies.keys()])
        assert.equal(lines.filter((line) => line.startsWith(`${one}=; `) && line.includes('Max-Age=0')).length, 1, one);
      assert.ok(lines.every((line) => !line.startsWith(`${NAME}_csrf`)));
      assert.equal(await kindOf(keeper, browser.headers), 'found');
      assert.deepEqual(keeper.clear(headersOf('a=b'), PLACE), []);
    });

    promise('open() never takes an id from the request: the planted session is over', async ({ keeper }) => {
      const attacker = await signIn(keeper, makeSession({ email: 'eve@example.com' }));
      const victim = new Browser();
      for (const [cookie, value] of attacker.cookies) victim.cookies.set(cookie, value);
      victim.take(await keeper.open(makeSession(), PLACE, victim.headers));
      assert.notEqual(victim.line, attacker.line);
      assert.equal((await foundOf(keeper, victim.headers)).session.email, 'ada@example.com');
      assert.equal(await kindOf(keeper, attacker.headers), PRESENT);
    });

    promise('open() never gives one cookie twice', async ({ keeper }) => {
      const browsers = await Promise.all(Array.from({ length: 50 }, () => signIn(keeper)));
      assert.equal(new Set(browsers.map((browser) => browser.line)).size, 50);
    });

    promise('open() clears what other ways of keeping sessions left behind', async ({ keeper }) => {
      const browser = new Browser();
      for (const leftover of [NAME, `${NAME}_0`, `${NAME}_1`, `${NAME}_2`, `${NAME}_7`])
        browser.cookies.set(leftover, 'cGF5bG9hZA==|1700000000|c2lnbmF0dXJl');
      browser.take(await keeper.open(makeSession(), PLACE, browser.headers));
      assert.equal(await kindOf(keeper, browser.headers), 'found');
      assert.ok(!browser.line.includes('|'));
    });

    promise('find() takes no cookie of another secret', async ({ keeper, restart }) => {
      const browser = await signIn(keeper);
      const secret = { bytes: Buffer.from('another secret of thirty-two byt'), read: () => secret.bytes };
      assert.equal(await kindOf(await restart({ secret }), browser.headers), PRESENT);
    });

    promise('a new secret ends every session within a second, also those that are known', async (rig) => {
      const browser = await signIn(rig.keeper);
      assert.equal(await kindOf(rig.keeper, browser.headers), 'found');
      rig.secret.bytes = Buffer.from('another secret of thirty-two byt');
      rig.clock.advance(1_000);
      assert.equal(await kindOf(rig.keeper, browser.headers), PRESENT);
      assert.equal(await kindOf(rig.keeper, (await signIn(rig.keeper)).headers), 'found');
    });

    promise('find() takes no session of another provider', async ({ keeper, restart }) => {
      const browser = await signIn(keeper);
      const other = await restart({ issuer: 'https://other.example.com' });
      assert.equal(await kindOf(other, browser.headers), PRESENT);
    });

    promise('find() takes no cookie of another name', async ({ keeper, restart }) => {
      const browser = await signIn(keeper);
      const other = await restart({ cookie: { name: 'other' } });
      const line = browser.line.replaceAll(NAME, 'other');
      assert.equal(await kindOf(other, headersOf(line)), PRESENT);
    });

    promise('find() takes no cookie with a changed character', async ({ keeper }) => {
      const browser = await signIn(keeper);
      const [[cookie, value] = ['', '']] = browser.cookies;
      for (let at = 0; at < value.length; at += Math.max(1, Math.floor(value.length / 60))) {
        const changed = flip(value, at);
        if (changed !== value) assert.equal(await kindOf(keeper, headersOf(`${cookie}=${changed}`)), PRESENT, `${at}`);
      }
      for (const odd of [value.slice(1), value.slice(0, -1), `${value}A`, `${value}=`, `"${value}"`, ` ${value}x`])
        assert.equal(await kindOf(keeper, headersOf(`${cookie}=${odd}`)), PRESENT, odd);
    });

    promise('find() takes a session beside a planted cookie, and neither of two sessions', async ({ keeper }) => {
      const ada = await signIn(keeper);
      const eve = await signIn(keeper, makeSession({ email: 'eve@example.com' }));
      for (const planted of [`${NAME}=x`, `${NAME}=${'A'.repeat(43)}`, `${NAME}=`])
        for (const lines of [[`${planted}; ${ada.line}`], [ada.line, planted], [`${ada.line}; ${planted}`]])
          assert.equal((await foundOf(keeper, headersOf(...lines))).session.email, 'ada@example.com');
      assert.equal(await kindOf(keeper, headersOf(`${ada.line}; ${eve.line}`)), PRESENT);
      assert.equal(await kindOf(keeper, headersOf(eve.line, ada.line)), PRESENT);
      // Twice the same is one.
      assert.equal(await kindOf(keeper, headersOf(ada.line, ada.line)), 'found');
    });

    promise('find() looks at no more than a few values', async ({ keeper }) => {
      const browser = await signIn(keeper);
      const [{ length } = ''] = browser.cookies.values();
      const planted = Array.from({ length: 200 }, (_, i) => `${NAME}=${String(i).padStart(length, 'A')}`).join('; ');
      assert.equal(await kindOf(keeper, headersOf(`${planted}; ${browser.line}`)), PRESENT);
      const parts = Array.from({ length: 200 }, (_, i) => `${NAME}_${i}=${'A'.repeat(60)}`).join('; ');
      assert.equal(await kindOf(keeper, headersOf(parts)), PRESENT);
      assert.equal(await kindOf(keeper, headersOf(`${NAME}=${'A'.repeat(100_000)}`)), PRESENT);
    });

    promise('once() runs the work once for all who ask at the same time, and again later', async ({ keeper }) => {
      const browser = await signIn(keeper);
      const { handle } = await foundOf(keeper, browser.headers);
      let calls = 0;
      const work = async (): Promise<number> => {
        await new Promise((done) => {
          setTimeout(done, 20);
        });
        return ++calls;
      };
      const answers = await Promise.all(Array.from({ length: 50 }, () => keeper.once(handle, work)));
      assert.deepEqual(new Set(answers), new Set([1]));
      assert.equal(await keeper.once(handle, work), 2);
      await assert.rejects(
        keeper.once(handle, () => Promise.reject(new Error('no'))),
        /no/,
      );
      assert.equal(await keeper.once(handle, work), 3);
    });

    promise('desk.list() says who is signed in, newest first, and nothing of cookies or tokens', async (rig) => {
      const { keeper, clock } = rig;
      assert.deepEqual(await keeper.desk.list(), []);
      await foundOf(keeper, (await signIn(keeper)).headers);
      clock.advance(HOUR);
      const bob = await signIn(
        keeper,
        makeSession({ email: '', preferredUsername: 'bob', via: 'htpasswd', createdAt: clock.at }),
      );
      await foundOf(keeper, bob.headers);
      const lines = await keeper.desk.list();
      assert.deepEqual(
        lines.map(({ person, createdAt, expiresAt }) => [
          person.provider,
          person.name,
          person.subject,
          createdAt,
          expiresAt,
        ]),
        [
          ['htpasswd', 'bob', 'subject-1', clock.at, clock.at + 168 * HOUR],
          ['oidc', 'ada@example.com', 'subject-1', clock.at - HOUR, clock.at + 167 * HOUR],
        ],
      );
      const text = JSON.stringify(lines);
      for (const secret of ['access.token', 'refresh-1', ...bob.cookies.values()]) assert.ok(!text.includes(secret));
    });

    promise('desk.list() leaves out what is over, ended, or of another secret', async ({ keeper, clock, restart }) => {
      const browser = await signIn(keeper);
      await foundOf(keeper, browser.headers);
      const secret = { bytes: Buffer.from('another secret of thirty-two byt'), read: () => secret.bytes };
      assert.deepEqual(await (await restart({ secret })).desk.list(), []);
      clock.advance(167 * HOUR);
      assert.equal((await keeper.desk.list()).length, 1);
      await keeper.end(browser.headers, PLACE);
      assert.deepEqual(await keeper.desk.list(), []);
      await signIn(keeper);
      clock.advance(HOUR);
      assert.deepEqual(await keeper.desk.list(), []);
    });

    promise('desk.revoke() ends one session for every copy of it, and no other', async ({ keeper, restart }) => {
      const [one, other] = [await signIn(keeper), await signIn(keeper)];
      await foundOf(keeper, one.headers);
      const [{ key } = { key: '' }] = await keeper.desk.list();
      await foundOf(keeper, other.headers);
      assert.equal(await keeper.desk.revoke(key), 1);
      assert.equal(await keeper.desk.revoke(key), 0);
      assert.equal(await keeper.desk.revoke('nobody'), 0);
      const again = revokesEverywhere ? [keeper, await restart()] : [keeper];
      for (const one2 of again) {
        const kinds = [await kindOf(one2, one.headers), await kindOf(one2, other.headers)];
        assert.deepEqual(kinds.toSorted(), [PRESENT, 'found']);
      }
    });

    promise(
      'desk.revokeByPerson() ends all of one person, renewed ones too, and lets them sign in anew',
      async (rig) => {
        const { keeper, clock, restart } = rig;
        const browsers = [await signIn(keeper), await signIn(keeper, makeSession({ email: 'ada@other.example' }))];
        const htpasswd = await signIn(keeper, makeSession({ via: 'htpasswd' }));
        const eve = await signIn(keeper, makeSession({ user: 'subject-2' }));
        const [renewed] = browsers as [Browser, Browser];
        clock.advance(HOUR);
        const { handle } = await foundOf(keeper, renewed.headers);
        renewed.take(await keeper.replace(handle, makeSession({ createdAt: clock.at }), PLACE, renewed.headers));
        for (const browser of [...browsers, htpasswd, eve]) await foundOf(keeper, browser.headers);
        assert.equal(await keeper.desk.revokeByPerson('oidc', 'subject-1'), 2);
        const again = revokesEverywhere ? [keeper, await restart()] : [keeper];
        for (const one of again) {
          for (const browser of browsers) assert.equal(await kindOf(one, browser.headers), PRESENT);
          for (const browser of [htpasswd, eve]) assert.equal(await kindOf(one, browser.headers), 'found');
        }
        assert.equal((await keeper.desk.list()).length, 2);
        clock.advance(1);
        const anew = await signIn(keeper, makeSession({ createdAt: clock.at }));
        for (const one of again) assert.equal(await kindOf(one, anew.headers), 'found');
      },
    );

    promise('desk.revokeByProviderSession() ends what a sid names', async ({ keeper, restart }) => {
      const browser = await signIn(keeper);
      const other = await signIn(keeper, makeSession({ providerSession: 'sid-2' }));
      const none = await signIn(keeper, makeSession({ providerSession: '' }));
      for (const one of [browser, other, none]) await foundOf(keeper, one.headers);
      assert.equal(await keeper.desk.revokeByProviderSession('github', 'sid-1'), 0);
      assert.equal(await keeper.desk.revokeByProviderSession('oidc', ''), 0);
      assert.equal(await keeper.desk.revokeByProviderSession('oidc', 'sid-1'), 1);
      assert.equal(await keeper.desk.revokeByProviderSession('oidc', 'sid-1'), 0);
      for (const one of revokesEverywhere ? [keeper, await restart()] : [keeper]) {
        assert.equal(await kindOf(one, browser.headers), PRESENT);
        for (const kept of [other, none]) assert.equal(await kindOf(one, kept.headers), 'found');
      }
    });

    promise('desk.revokeByPerson() ends what is being renewed', async ({ keeper, clock }) => {
      const browser = await signIn(keeper);
      const { handle } = await foundOf(keeper, browser.headers);
      await keeper.desk.revokeByPerson('oidc', 'subject-1');
      const fresh = makeSession({ createdAt: clock.at });
      await assert.rejects(keeper.replace(handle, fresh, PLACE, browser.headers), { code: 'ACCESS_DENIED' });
      assert.equal(await kindOf(keeper, browser.headers), PRESENT);
    });

    promise('isReady() is true', async ({ keeper }) => {
      assert.equal(await keeper.isReady(), true);
    });

    promise('a session as large as tokens make it is kept, and a smaller one after it', async ({ keeper }) => {
      const large = makeSession({
        accessToken: 'a'.repeat(3_000),
        idToken: 'i'.repeat(3_000),
        refreshToken: 'r'.repeat(2_000),
        groups: Array.from({ length: 60 }, (_, i) => `/groups/${i}`),
      });
      const browser = await signIn(keeper, large);
      const found = await foundOf(keeper, browser.headers);
      assert.deepEqual(found.session, large);
      browser.take(await keeper.replace(found.handle, makeSession(), PLACE, browser.headers));
      const small = await foundOf(keeper, browser.headers);
      assert.deepEqual(small.session, makeSession());
      browser.take(await keeper.replace(small.handle, large, PLACE, browser.headers));
      assert.deepEqual((await foundOf(keeper, browser.headers)).session, large);
    });

    promise('find() never throws, and finds nothing in what it did not make', async ({ keeper }) => {
      const browser = await signIn(keeper);
      const values = [...browser.cookies.values()];
      const piece = oneof(
        constantFrom(NAME, `${NAME}_0`, `${NAME}_1`, '=', ';', ' ', '"', '|', ',', '\u0080', '%', 'A'.repeat(43)),
        string({ unit: 'binary-ascii', maxLength: 12 }),
        constantFrom(...values.flatMap((value) => [value.slice(1), value.slice(0, -1), value.slice(0, 30)])),
      );
      await check(
        asyncProperty(array(piece, { maxLength: 12 }), async (pieces) => {
          const line = pieces.join('').replaceAll(/[\r\n\0]/g, '');
          assert.match(await kindOf(keeper, headersOf(line)), /^absent/);
        }),
        { numRuns: RUNS },
      );
    });
  });
}
