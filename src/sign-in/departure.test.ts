import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { APP, AUTH, type Browser, type Page } from './_rig.ts';
import { withOidc } from './oidc/_rig.ts';

const KEEPS = { rig: { keepsFragment: true } };

const linkOf = (page: Page): string =>
  (/<a class="button" id="go" href="([^"]+)"/.exec(page.text)?.[1] ?? '').replaceAll('&amp;', '&');
const dataOf = (page: Page, name: string): string => new RegExp(`data-${name}="([^"]+)"`).exec(page.text)?.[1] ?? '';

async function toDeparture(browser: Browser, url: string): Promise<Page> {
  const page = await browser.open(url);
  assert.deepEqual([page.status, new URL(page.url).origin], [200, AUTH]);
  return page;
}

/** As the script of the page does where there is a fragment. */
function mark(browser: Browser, page: Page): void {
  const [name = '', value = ''] = (dataOf(page, 'mark').split(';', 1)[0] ?? '').split('=');
  browser.plant(new URL(AUTH).hostname, name, value);
}

test('depart() answers a page that leads to the provider with and without script, and runs no script but its own', () =>
  withOidc(async ({ browser, twin }) => {
    const page = await toDeparture(browser(), `${APP}/x`);
    assert.ok(linkOf(page).startsWith(`${twin.issuer}/authorize?`));
    const refresh = /<noscript><meta http-equiv="refresh" content="0; url=([^"]+)" \/><\/noscript>/.exec(page.text);
    assert.equal(refresh?.[1]?.replaceAll('&amp;', '&'), linkOf(page));
    const csp = page.headers.get('content-security-policy') ?? '';
    const scripts = [...page.text.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, script = '']) => script);
    assert.equal(scripts.length, 1);
    const hash = createHash('sha256')
      .update(scripts[0] ?? '')
      .digest('base64');
    assert.ok(csp.includes(`script-src 'sha256-${hash}'`) && csp.startsWith("default-src 'none'"), csp);
    assert.doesNotMatch(csp, /unsafe|connect-src|\*/);
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(page.headers.get('cross-origin-opener-policy'), 'unsafe-none', 'a window that was opened to sign in');
    assert.equal(page.headers.get('cache-control'), 'no-store');
    assert.match(
      dataOf(page, 'mark'),
      /^__Host-postern-[a-z0-9]+-fragment=1; Path=\/; Max-Age=600; SameSite=Lax; Secure$/,
    );
  }, KEEPS));

test('comeBack() is a page only in a browser that keeps a fragment, and leads on to where the ticket says', () =>
  withOidc(async ({ browser, twin }) => {
    const plain = browser();
    const back = await plain.open(twin.visit(linkOf(await toDeparture(plain, `${APP}/x?q=1`))));
    assert.deepEqual([back.url, back.text], [`${APP}/x?q=1`, 'app for alice'], 'redirects all the way');

    const marked = browser();
    const departure = await toDeparture(marked, `${APP}/x?q=1`);
    mark(marked, departure);
    const page = await marked.open(twin.visit(linkOf(departure)));
    assert.equal(page.status, 200);
    assert.match(
      linkOf(page),
      /^\/\.postern\/sign-in\?continue=signed-in&ticket=[\w.-]+$/,
      'a path of our own, and no other place',
    );
    assert.equal(dataOf(page, 'key'), dataOf(departure, 'key'));
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer', 'the address has the code');
    const after = await marked.open(AUTH + linkOf(page));
    assert.deepEqual([after.url, after.text], [`${APP}/x?q=1`, 'app for alice']);
  }, KEEPS));

test('depart() keeps each way to a provider under a name of its own', () =>
  withOidc(async ({ browser }) => {
    const tab = browser();
    const keys = new Set<string>();
    for (let n = 0; n < 5; n++) keys.add(dataOf(await toDeparture(tab, `${APP}/${n}`), 'key'));
    assert.equal(keys.size, 5);
    for (const key of keys) assert.match(key, /^postern-fragment-[\w-]{15}$/);
  }, KEEPS));

test('depart() is a redirect unless the document says otherwise', () =>
  withOidc(async ({ browser, twin }) => {
    const alice = browser();
    const first = await alice.send(`${APP}/x`);
    const second = await alice.send(first.headers.get('location') ?? '');
    assert.equal(second.status, 303);
    assert.ok(second.headers.get('location')?.startsWith(twin.issuer));
  }));
