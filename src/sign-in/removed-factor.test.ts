import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TOTP } from 'otpauth';
import { APP, AUTH, createRig, hiddenFields, type Browser, type Page, type Rig } from './_rig.ts';

const PASSWORD = 'right password';
const codeOf = (rig: Rig, secret: string): string => new TOTP({ secret }).generate({ timestamp: rig.deps.clock.now() });

async function withRig(run: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = createRig();
  try {
    await rig.addAccount('ann', PASSWORD);
    await run(rig);
  } finally {
    rig.close();
  }
}

interface Ann {
  readonly browser: Browser;
  readonly subject: string;
  /** Secrets of her apps. */
  readonly phone: string;
  readonly tablet: string;
  readonly recovery: string;
}

/** Signed in, with two authenticator apps. */
async function enrolTwice(rig: Rig): Promise<Ann> {
  const browser = rig.browser();
  await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', PASSWORD);
  const pages: Page[] = [];
  const secrets: string[] = [];
  for (const name of ['Phone', 'Tablet']) {
    // oxlint-disable no-await-in-loop -- one behind the other
    const page = await browser.open(`${AUTH}/.postern/security?add=totp`);
    const secret = (/<code class="secret">([^<]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '');
    pages.push(await browser.submit(page, { code: codeOf(rig, secret), name }));
    // oxlint-enable no-await-in-loop
    secrets.push(secret);
    rig.advance(60_000);
  }
  const [phone = '', tablet = ''] = secrets;
  const recovery = /<li><code>([^<]+)<\/code>/.exec(pages[0]?.text ?? '')?.[1] ?? '';
  const subject = (await rig.accounts.findByName('ann'))?.subject ?? '';
  return { browser, subject, phone, tablet, recovery };
}

async function signInBy(rig: Rig, code: string): Promise<Browser> {
  const browser = rig.browser();
  const step = await browser.signInOn(await browser.open(`${APP}/`), 'ann', PASSWORD);
  assert.match(step.text, /One more step/);
  await browser.follow(await browser.submit(step, { code }));
  return browser;
}

async function remove(rig: Rig, { browser, subject }: Ann, name: string): Promise<void> {
  const page = await browser.open(`${AUTH}/.postern/security`);
  const id = (await rig.deps.factors.overview(subject)).factors.find((one) => one.name === name)?.id ?? '';
  const form = { form: hiddenFields(page)['form'] ?? '', do: 'remove', id };
  assert.equal((await browser.send(`${AUTH}/.postern/security`, { form })).status, 303);
  assert.equal((await rig.deps.factors.overview(subject)).factors.length, 1);
}

const isIn = async (browser: Browser): Promise<boolean> => (await browser.open(`${APP}/`)).text === 'app for ann';

test('removing one of several second factors ends what it has opened, and nothing else', async () => {
  await withRig(async (rig) => {
    const ann = await enrolTwice(rig);
    const thief = await signInBy(rig, codeOf(rig, ann.phone));
    const byTablet = await signInBy(rig, codeOf(rig, ann.tablet));
    const byRecovery = await signInBy(rig, ann.recovery);
    for (const one of [thief, byTablet, byRecovery]) assert.equal(await isIn(one), true);
    await remove(rig, ann, 'Phone');
    assert.deepEqual(
      [await isIn(thief), await isIn(byTablet), await isIn(byRecovery), await isIn(ann.browser)],
      [false, true, true, true],
      'whoever came by it is out, the one who removed it and who came by others are in',
    );
    assert.equal((await rig.sessions.list()).length, 3);
  });
});

test('what a factor has opened stays known over a change of the groups', async () => {
  await withRig(async (rig) => {
    const ann = await enrolTwice(rig);
    const thief = await signInBy(rig, codeOf(rig, ann.phone));
    const byTablet = await signInBy(rig, codeOf(rig, ann.tablet));
    await rig.accounts.setGroups(ann.subject, ['ops'], 'test');
    await remove(rig, ann, 'Phone');
    assert.deepEqual([await isIn(thief), await isIn(byTablet)], [false, true]);
  });
});

test('a session of which it is not known which factor opened it ends with one of that kind', async () => {
  await withRig(async (rig) => {
    const ann = await enrolTwice(rig);
    const account = await rig.accounts.find(ann.subject);
    assert.ok(account !== null);
    const open = async (...amr: string[]): Promise<string> => {
      const person = rig.accounts.personOf(account, amr);
      return (await rig.sessions.openSignIn(person, 'auth.example.com')).view.key;
    };
    const [old, passkey, password] = [
      await open('pwd', 'otp', 'mfa'),
      await open('hwk', 'user', 'mfa'),
      await open('pwd'),
    ];
    await remove(rig, ann, 'Phone');
    const left = (await rig.sessions.list()).map(({ key }) => key);
    assert.deepEqual([left.includes(old), left.includes(passkey), left.includes(password)], [false, true, true]);
  });
});

test('a factor that is removed in the very moment in which it is shown opens no session', async () => {
  await withRig(async (rig) => {
    const ann = await enrolTwice(rig);
    const { factors } = rig.deps;
    const { checkCode } = factors;
    Object.assign(factors, {
      async checkCode(...given: Parameters<typeof checkCode>) {
        const answer = await checkCode(...given);
        await remove(rig, ann, 'Phone');
        return answer;
      },
    });
    const thief = await signInBy(rig, codeOf(rig, ann.phone));
    assert.equal(await isIn(thief), false);
    assert.equal((await rig.sessions.list()).length, 1, 'hers');
  });
});

test('a factor that is removed in the very moment in which it is set up proves nothing', async () => {
  await withRig(async (rig) => {
    const browser = rig.browser();
    await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in`), 'ann', PASSWORD);
    const page = await browser.open(`${AUTH}/.postern/security?add=totp`);
    const secret = (/<code class="secret">([^<]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '');
    const { factors } = rig.deps;
    const { addTotp } = factors;
    Object.assign(factors, {
      async addTotp(...given: Parameters<typeof addTotp>) {
        const isAdded = await addTotp(...given);
        const [one] = (await factors.overview(given[0])).factors;
        await factors.remove(given[0], one?.id ?? '');
        return isAdded;
      },
    });
    const answer = await browser.submit(page, { code: codeOf(rig, secret), name: 'Phone' });
    assert.equal(answer.status, 303);
    const people = (await rig.sessions.list()).map(({ person }) => person.amr);
    assert.deepEqual(people, [['pwd']]);
  });
});
