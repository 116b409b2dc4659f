/* oxlint-disable max-lines-per-function -- a suite of tests is one function */
/** What every keeper of sessions promises: they are found, live as long as they may, are renewed and end. */
import assert from 'node:assert/strict';
import { Browser, foundOf, headersOf, HOUR, kindOf, makeSession, NAME, PLACE, PRESENT, signIn } from './_keeper-rig.ts';
import { CookieLine } from '../../wire/cookie-line.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { Promised } from './_keeper-promises.ts';

export function sessionPromises({ promise, revokesEverywhere }: Promised): void {
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
}
