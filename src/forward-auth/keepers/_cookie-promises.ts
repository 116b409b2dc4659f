/* oxlint-disable max-lines-per-function -- a suite of tests is one function */
/** What every keeper of sessions promises of cookies: none counts that it did not make itself, for this name and secret. */
import assert from 'node:assert/strict';
import { assert as check, array, asyncProperty, constantFrom, string, oneof } from 'fast-check';
import { Browser, foundOf, headersOf, kindOf, makeSession, NAME, PLACE, PRESENT, signIn } from './_keeper-rig.ts';
import type { Promised } from './_keeper-promises.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 2_000);

/** Flips one bit of a base64url character. */
function flip(text: string, at: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const other = alphabet[(alphabet.indexOf(text[at] ?? '') ^ 1) & 63] ?? 'A';
  return text.slice(0, at) + other + text.slice(at + 1);
}

export function cookiePromises({ promise }: Promised): void {
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
}
