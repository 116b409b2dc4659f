import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TOTP } from 'otpauth';
import { APP, AUTH, createRig, hiddenFields, type Browser, type Page, type Rig, type RigOptions } from './_rig.ts';
import { hasSecondFactor } from '../policy/facts.ts';

const FACTOR = { secondFactor: true, acr: [], maxAgeMs: null };
const NEEDS_FACTOR: RigOptions = {
  mayEnter: ({ person }) => (hasSecondFactor(person.amr) ? { kind: 'allow' } : { kind: 'sign-in', needs: FACTOR }),
};

async function withRig(options: RigOptions, run: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = createRig(options);
  try {
    await rig.addAccount('ann', 'right password');
    await rig.addAccount('bob', 'right password');
    await run(rig);
  } finally {
    rig.close();
  }
}

const codeOf = (rig: Rig, secret: string): string => new TOTP({ secret }).generate({ timestamp: rig.deps.clock.now() });
const secretOn = (page: Page): string =>
  (/<code class="secret">([^<]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '');
/** Of the app, and for recovery. */
const fieldsOf = (page: Page): string[] =>
  [...page.text.matchAll(/<input\s+id="(?:recovery-)?code"[^>]*>/g)].map(([it]) => it);
const amrOf = async (rig: Rig): Promise<string[][]> => (await rig.sessions.list()).map(({ person }) => [...person.amr]);

/** Signs in and sets up an authenticator app; ends on the page with the recovery codes. */
async function enrol(rig: Rig, browser: Browser, name = 'ann'): Promise<{ secret: string; codes: string[] }> {
  await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), name, 'right password');
  const page = await browser.open(`${AUTH}/.postern/security?add=totp`);
  const secret = secretOn(page);
  const done = await browser.submit(page, { code: codeOf(rig, secret), name: 'Phone' });
  assert.equal(done.status, 200);
  const codes = [...done.text.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, code = '']) => code);
  assert.equal(codes.length, 10);
  rig.advance(60_000);
  return { secret, codes };
}

test('after the password comes the code, and only then a session', async () => {
  await withRig({}, async (rig) => {
    const { secret } = await enrol(rig, rig.browser());
    const browser = rig.browser();
    const form = await browser.open(`${APP}/deep?q=1&r=%2F`);
    const step = await browser.signInOn(form, 'ann', 'right password');
    assert.match(step.text, /One more step/);
    assert.equal(browser.sessionToken(AUTH), undefined, 'nothing is open yet');
    const wrong = await browser.submit(step, { code: '000000' });
    assert.equal(wrong.status, 403);
    assert.match(wrong.text, /not right.*check the clock of your phone/);
    const inside = await browser.follow(await browser.submit(wrong, { code: codeOf(rig, secret) }));
    assert.equal(inside.url, `${APP}/deep?q=1&r=%2F`);
    assert.equal(inside.text, 'app for ann');
    assert.deepEqual((await amrOf(rig)).at(0), ['pwd', 'otp', 'mfa']);
    const again = rig.browser();
    const secondTry = await again.signInOn(await again.open(APP), 'ann', 'right password');
    assert.equal((await again.submit(secondTry, { code: codeOf(rig, secret) })).status, 403, 'a code works once');
  });
});

test('a recovery code stands in once, and the start page says so', async () => {
  await withRig({}, async (rig) => {
    const { codes } = await enrol(rig, rig.browser());
    const browser = rig.browser();
    const step = await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const home = await browser.follow(await browser.submit(step, { code: codes[3] ?? '' }));
    assert.match(home.text, /used up now/);
    const other = rig.browser();
    const otherStep = await other.signInOn(await other.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const refused = await other.submit(otherStep, { code: codes[3] ?? '' });
    assert.equal(refused.status, 403);
    assert.match(refused.text, /recovery code is not right, or was used already/);
    assert.doesNotMatch(refused.text, /clock of your phone/);
  });
});

test('a wrong code while an app is added keeps the secret and what the person has called it', async () => {
  await withRig({}, async (rig) => {
    const browser = rig.browser();
    await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const page = await browser.open(`${AUTH}/.postern/security?add=totp`);
    const wrong = await browser.submit(page, { code: '000000', name: '<b>"Phone"' });
    assert.deepEqual([wrong.status, secretOn(wrong)], [403, secretOn(page)]);
    assert.match(wrong.text, /<input id="name"[^>]*value="&lt;b&gt;&quot;Phone&quot;"/);
  });
});

test('a recovery code has a field of its own, which a phone shows letters for, and it works without script', async () => {
  await withRig({}, async (rig) => {
    const { codes } = await enrol(rig, rig.browser());
    const browser = rig.browser();
    const step = await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const [app = '', recovery = ''] = fieldsOf(step);
    assert.match(app, /inputmode="numeric"[^>]*autofocus/);
    assert.match(codes[0] ?? '', /[0-9a-f]{5}-/);
    assert.match(recovery, /name="code"[^>]*inputmode="text"/);
    assert.doesNotMatch(recovery, /autofocus|numeric/);
    const folded = /<details>[\s\S]*?<\/details>/.exec(step.text)?.[0] ?? '';
    assert.match(folded, /<form method="post" action="\/\.postern\/second-step">/);
    for (const hidden of ['form', 'pending']) assert.match(folded, new RegExp(`name="${hidden}" value="[^"]+"`));
    assert.equal((await browser.submit(step, { code: codes[0] ?? '' })).status, 303);
  });
});

test('a wrong recovery code leaves its field in sight, with what is wrong, and a wrong code of the app its own', async () => {
  await withRig({}, async (rig) => {
    await enrol(rig, rig.browser());
    const browser = rig.browser();
    const step = await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    assert.match(step.text, /<details>/, 'folded at first');
    for (const code of ['abcde-fghij', '   ']) {
      const refused = await browser.submit(step, { code, field: 'recovery' });
      assert.match(refused.text, /<details open>/);
      const [app = '', recovery = ''] = fieldsOf(refused);
      assert.match(recovery, /autofocus[^>]*aria-describedby="problem" aria-invalid="true"/);
      assert.doesNotMatch(app, /autofocus|aria-invalid/);
    }
    const wrong = await browser.submit(step, { code: '000000', field: 'app' });
    assert.match(wrong.text, /<details>/);
    const [app = '', recovery = ''] = fieldsOf(wrong);
    assert.match(app, /autofocus[^>]*aria-describedby="problem" aria-invalid="true"/);
    assert.doesNotMatch(recovery, /autofocus|aria-invalid/);
  });
});

test('what the password has proved is good for one browser, one password, a short while', async () => {
  await withRig({}, async (rig) => {
    const { secret } = await enrol(rig, rig.browser());
    const victim = rig.browser();
    const step = await victim.signInOn(await victim.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const thief = rig.browser();
    const stolen = await thief.open(step.url);
    assert.match(stolen.url, /\/\.postern\/sign-in$/, 'another browser starts again');
    const forged = await thief.submit(await thief.open(`${AUTH}/.postern/sign-in`), {}, { method: 'GET' });
    assert.ok(forged.status >= 400 || forged.status === 200);
    const posted = await thief.send(`${AUTH}/.postern/second-step`, {
      form: { ...hiddenFields(step), code: codeOf(rig, secret) },
    });
    assert.match(posted.headers.get('location') ?? '', /\/\.postern\/sign-in/);
    assert.equal(thief.sessionToken(AUTH), undefined);

    const account = await rig.accounts.findByName('ann');
    await rig.accounts.setPassword(account?.subject ?? '', '$argon2id$another', 'test');
    const late = await victim.submit(step, { code: codeOf(rig, secret) });
    assert.match(late.headers.get('location') ?? '', /\/\.postern\/sign-in/, 'the password has changed');
    await rig.accounts.setPassword(account?.subject ?? '', '$argon2id$right password', 'test');
    const fresh = await victim.signInOn(await victim.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    rig.advance(10 * 60_000);
    const tooLate = await victim.submit(fresh, { code: codeOf(rig, secret) });
    assert.match(tooLate.headers.get('location') ?? '', /\/\.postern\/sign-in/);
    assert.equal(victim.sessionToken(AUTH), undefined);
  });
});

test('a one-time link replaces the password, not the second factor', async () => {
  await withRig({}, async (rig) => {
    const { secret } = await enrol(rig, rig.browser());
    const account = await rig.accounts.findByName('ann');
    const link = await rig.accounts.mintLink(account?.subject ?? '', 'test');
    const browser = rig.browser();
    const form = await browser.open(`${AUTH}/.postern/set-password?token=${link?.token ?? ''}`);
    const set = await browser.submit(form, { password: 'another password', again: 'another password' });
    const step = await browser.follow(set);
    assert.match(step.text, /One more step/);
    assert.equal(browser.sessionToken(AUTH), undefined);
    const home = await browser.follow(await browser.submit(step, { code: codeOf(rig, secret) }));
    assert.match(home.text, /You are signed in/);
  });
});

test('a route that asks for a second factor has one set up on the way, and then lets in', async () => {
  await withRig(NEEDS_FACTOR, async (rig) => {
    const browser = rig.browser();
    const before = await browser.signInOn(await browser.open(`${APP}/vault?x=1`), 'ann', 'right password');
    assert.match(before.text, /app\.example\.com asks for a second factor/);
    const old = browser.sessionToken(AUTH);
    const ticket = hiddenFields(before)['ticket'] ?? '';
    const setUp = await browser.open(`${AUTH}/.postern/security?add=totp&ticket=${ticket}`);
    const done = await browser.submit(setUp, { code: codeOf(rig, secretOn(setUp)), name: '' });
    assert.notEqual(browser.sessionToken(AUTH), old, 'more was proved: a new session id');
    const onward = /<a class="button" href="([^"]+)"/.exec(done.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const inside = await browser.open(AUTH + onward);
    assert.equal(inside.url, `${APP}/vault?x=1`);
    assert.deepEqual((await amrOf(rig)).at(0), ['pwd', 'otp', 'mfa']);
  });
});

test('a session from before asks for the step alone where the route wants one', async () => {
  await withRig(NEEDS_FACTOR, async (rig) => {
    const early = rig.browser();
    await early.signInOn(await early.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const { secret } = await enrol(rig, rig.browser());
    const step = await early.open(`${APP}/vault`);
    assert.match(step.text, /One more step/);
    assert.equal(hiddenFields(step)['pending'], undefined);
    const inside = await early.follow(await early.submit(step, { code: codeOf(rig, secret) }));
    assert.equal(inside.url, `${APP}/vault`);
  });
});

test('a session that a password opened before the second factor was there cannot remove or add one', async () => {
  await withRig({}, async (rig) => {
    const thief = rig.browser();
    await thief.signInOn(await thief.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const before = await thief.open(`${AUTH}/.postern/security?add=totp`);
    const { secret } = await enrol(rig, rig.browser());
    const page = await thief.open(`${AUTH}/.postern/security`);
    assert.match(page.text, /confirm that it is you/);
    assert.doesNotMatch(page.text, /Phone/);
    const subject = (await rig.sessions.list())[0]?.person.subject ?? '';
    const id = (await rig.deps.factors.overview(subject)).factors[0]?.id ?? '';
    assert.notEqual(id, '');
    const form = hiddenFields(page)['form'] ?? '';
    const removed = await thief.send(`${AUTH}/.postern/security`, { form: { form, do: 'remove', id } });
    assert.equal(removed.status, 403);
    const added = await thief.submit(before, { code: codeOf(rig, secretOn(before)), name: 'Mine' });
    assert.equal(added.status, 403);
    const step = await thief.follow(await thief.submit(page, { password: 'right password' }));
    assert.match(step.text, /One more step/);
    assert.equal((await thief.submit(step, { code: '000000' })).status, 403);
    const own = await thief.follow(await thief.submit(step, { code: codeOf(rig, secret) }));
    assert.match(own.text, /Phone/);
    assert.doesNotMatch(own.text, /Mine/);
  });
});

test('a code alone makes no session fresh enough to change second factors: the password is asked for', async () => {
  await withRig({}, async (rig) => {
    const old = rig.browser();
    await old.signInOn(await old.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const { secret } = await enrol(rig, rig.browser());
    rig.advance(3_600_000);
    const step = await old.open(`${AUTH}/.postern/second-step`);
    await old.follow(await old.submit(step, { code: codeOf(rig, secret) }));
    assert.deepEqual((await amrOf(rig)).at(0), ['pwd', 'otp', 'mfa']);
    assert.match((await old.open(`${AUTH}/.postern/security`)).text, /confirm that it is you/);
  });
});

test('second factors are changed only in a fresh session, and by its own person', async () => {
  await withRig({}, async (rig) => {
    const browser = rig.browser();
    const { secret } = await enrol(rig, browser);
    const page = await browser.open(`${AUTH}/.postern/security`);
    assert.match(page.text, /Phone/);
    const id = /name="id" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const guard = { form: hiddenFields(page)['form'] ?? '' };
    const other = rig.browser();
    await other.signInOn(await other.open(`${AUTH}/.postern/sign-in`), 'bob', 'right password');
    const attempt = await other.send(`${AUTH}/.postern/security`, { form: { ...guard, do: 'remove', id } });
    assert.equal(attempt.status, 403, 'the form of another session');
    const own = hiddenFields(await other.open(`${AUTH}/.postern/security`))['form'] ?? '';
    await other.send(`${AUTH}/.postern/security`, { form: { form: own, do: 'remove', id } });
    const crossSite = { form: { ...guard, do: 'remove', id }, headers: { origin: APP, 'sec-fetch-site': 'same-site' } };
    assert.equal((await browser.send(`${AUTH}/.postern/security`, crossSite)).status, 403);
    assert.match((await browser.open(`${AUTH}/.postern/security`)).text, /Phone/, 'still there');

    rig.advance(15 * 60_000);
    const stale = await browser.send(`${AUTH}/.postern/security`, { form: { ...guard, do: 'remove', id } });
    assert.equal(stale.status, 403);
    assert.match(stale.text, /confirm that it is you/);
    const refused = await browser.submit(stale, { password: 'wrong password' });
    assert.equal(refused.status, 403);
    const step = await browser.follow(await browser.submit(refused, { password: 'right password' }));
    assert.match(step.text, /One more step/, 'the password alone does not change what guards against its loss');
    const back = await browser.follow(await browser.submit(step, { code: codeOf(rig, secret) }));
    assert.equal(back.url, `${AUTH}/.postern/security`);
    await browser.send(`${AUTH}/.postern/security`, {
      form: { form: hiddenFields(back)['form'] ?? '', do: 'remove', id },
    });
    assert.match((await browser.open(`${AUTH}/.postern/security`)).text, /No second factor is set up/);
  });
});

test('guessing codes waits, also with the right password in hand', async () => {
  await withRig({}, async (rig) => {
    await enrol(rig, rig.browser());
    const browser = rig.browser();
    let page = await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    for (let i = 0; i < 5; i++) page = await browser.submit(page, { code: `00000${i}` });
    const held = await browser.submit(page, { code: '000009' });
    assert.equal(held.status, 429);
    assert.equal(held.headers.get('retry-after'), '2');
  });
});

test('second-step and security pages take nothing that is not theirs', async () => {
  await withRig({}, async (rig) => {
    await enrol(rig, rig.browser());
    const browser = rig.browser();
    const step = await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
    const fields = hiddenFields(step);
    const odd = fc.string({ maxLength: 200, unit: 'binary' });
    await fc.assert(
      fc.asyncProperty(
        fc.record(
          { pending: odd, form: odd, code: odd, ticket: odd, answer: odd, do: odd, id: odd, secret: odd },
          { requiredKeys: [] },
        ),
        fc.constantFrom('second-step', 'security', 'passkey'),
        fc.boolean(),
        async (form, page, keepsOwn) => {
          const sent = keepsOwn ? { ...form, ...fields } : form;
          const answer = await browser.send(`${AUTH}/.postern/${page}`, { form: sent });
          assert.ok(answer.status >= 300 && answer.status < 500, `${page} ${answer.status} ${JSON.stringify(sent)}`);
          assert.equal(browser.sessionToken(AUTH), undefined);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('a route that asks for a recent sign-in asks a local account for the password again, and keeps the way', async () => {
  const maxAgeMs = 15 * 60_000;
  let clock = (): number => 0;
  const options: RigOptions = {
    mayEnter: ({ person }) =>
      clock() - (person.authenticatedAt ?? 0) < maxAgeMs
        ? { kind: 'allow' }
        : { kind: 'sign-in', needs: { secondFactor: false, acr: [], maxAgeMs } },
  };
  await withRig(options, async (rig) => {
    clock = rig.deps.clock.now;
    const browser = rig.browser();
    assert.equal((await browser.signInOn(await browser.open(`${APP}/`), 'ann', 'right password')).text, 'app for ann');
    rig.advance(maxAgeMs);
    const form = await browser.open(`${APP}/.postern/start?to=${encodeURIComponent('/deep?q=1')}`);
    assert.match(form.text, /Please confirm that it is you/);
    assert.match(form.text, /value="ann"/);
    assert.doesNotMatch(form.text, /continue=1/, 'there is no going on without');
    assert.equal((await browser.signInOn(form, 'ann', 'wrong')).status, 403);
    const inside = await browser.signInOn(form, 'ann', 'right password');
    assert.deepEqual([inside.url, inside.text], [`${APP}/deep?q=1`, 'app for ann']);
    assert.equal((await rig.sessions.list()).length, 1, 'the session from before is over');
  });
});

test('a second factor alone makes no sign-in recent: the password was shown when it was', async () => {
  await withRig(NEEDS_FACTOR, async (rig) => {
    const browser = rig.browser();
    const { secret } = await enrol(rig, rig.browser());
    // A session from before the second factor was there.
    const page = await browser.open(`${AUTH}/.postern/sign-in`);
    await browser.submit(await browser.signInOn(page, 'ann', 'right password'), { code: codeOf(rig, secret) });
    const signedInAt = rig.deps.clock.now();
    assert.equal((await rig.sessions.list())[0]?.person.authenticatedAt, signedInAt);
    rig.advance(3_600_000);
    const step = await browser.open(`${AUTH}/.postern/second-step`);
    await browser.submit(step, { code: codeOf(rig, secret) });
    assert.equal((await rig.sessions.list())[0]?.person.authenticatedAt, signedInAt);
  });
});

test('an app that is kept twice, by a double click, would take each code twice: it is kept once', async () => {
  await withRig({}, async (rig) => {
    const browser = rig.browser();
    const { secret } = await enrol(rig, browser);
    const page = await browser.open(`${AUTH}/.postern/security?add=totp`);
    const second = secretOn(page);
    assert.notEqual(second, secret);
    const fields = { code: codeOf(rig, second), name: 'Tablet' };
    const answers = await Promise.all([1, 2, 3].map(() => browser.submit(page, fields)));
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [303, 403, 403],
    );
    const subject = (await rig.accounts.findByName('ann'))?.subject ?? '';
    assert.equal((await rig.deps.factors.overview(subject)).factors.length, 2);
    rig.advance(60_000);
    const code = codeOf(rig, second);
    const tablet = (await rig.deps.factors.overview(subject)).factors[1]?.id;
    assert.deepEqual(await rig.deps.factors.checkCode(subject, code), { kind: 'totp', factor: tablet });
    assert.deepEqual(await rig.deps.factors.checkCode(subject, code), { kind: 'wrong' }, 'a code works once');
  });
});

test('recovery codes go with the last second factor, and the next one brings new ones', async () => {
  await withRig({}, async (rig) => {
    const browser = rig.browser();
    const { codes } = await enrol(rig, browser);
    const { accounts, deps } = rig;
    const subject = (await accounts.findByName('ann'))?.subject ?? '';
    const [factor] = (await deps.factors.overview(subject)).factors;
    const page = await browser.open(`${AUTH}/.postern/security`);
    const form = { form: hiddenFields(page)['form'] ?? '', do: 'remove', id: factor?.id ?? '' };
    await browser.send(`${AUTH}/.postern/security`, { form });
    assert.deepEqual(await deps.factors.overview(subject), { factors: [], recoveryLeft: 0 });
    const again = await enrol(rig, rig.browser());
    assert.deepEqual(await deps.factors.checkCode(subject, codes[0] ?? ''), { kind: 'wrong' });
    assert.deepEqual(await deps.factors.checkCode(subject, again.codes[0] ?? ''), { kind: 'recovery' });
  });
});

/** As it is, and something else happens before whoever asked hears of it. */
function followedBy<Given extends unknown[], Answer>(
  ask: (...given: Given) => Promise<Answer>,
  next: () => Promise<void>,
): (...given: Given) => Promise<Answer> {
  return async (...given) => {
    const answer = await ask(...given);
    await next();
    return answer;
  };
}

test('a session that was revoked in the very moment of a second step, or of a new factor, opens no other', async () => {
  for (const what of ['second step', 'new factor']) {
    await withRig({}, async (rig) => {
      const { factors } = rig.deps;
      const revokeAll = async (): Promise<void> => {
        const subject = (await rig.accounts.findByName('ann'))?.subject ?? '';
        await rig.sessions.revokeByPerson('local', subject);
      };
      const browser = rig.browser();
      await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
      const page = await browser.open(`${AUTH}/.postern/security?add=totp`);
      const secret = secretOn(page);
      if (what === 'new factor') {
        const { addTotp } = factors;
        Object.assign(factors, { addTotp: followedBy(addTotp, revokeAll) });
        await browser.submit(page, { code: codeOf(rig, secret), name: 'Phone' });
      } else {
        const other = rig.browser();
        await other.signInOn(await other.open(`${AUTH}/.postern/sign-in`), 'ann', 'right password');
        await other.submit(await other.open(`${AUTH}/.postern/security?add=totp`), { code: '000000' });
        await browser.submit(page, { code: codeOf(rig, secret), name: 'Phone' });
        rig.advance(60_000);
        const step = await other.open(`${AUTH}/.postern/second-step`);
        assert.match(step.text, /One more step/);
        const { checkCode } = factors;
        Object.assign(factors, { checkCode: followedBy(checkCode, revokeAll) });
        await other.submit(step, { code: codeOf(rig, secret) });
      }
      assert.deepEqual(await rig.sessions.list(), [], what);
    });
  }
});
