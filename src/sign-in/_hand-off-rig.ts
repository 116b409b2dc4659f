/** People who are signed in and sent from host to host, for tests of the hand-off. */
import assert from 'node:assert/strict';
import { APP, createRig, type Browser, type Page, type Rig } from './_rig.ts';

export const PASSWORD = 'correct horse battery';
export const DEEP: string = `${APP}/a%20b/c;x=1?q=1&q=2&u=https%3A%2F%2Fe.example%2F&x=%26%3d&empty&plus=a+b&raw='|"`;

export async function withRig(
  work: (rig: Rig) => Promise<void>,
  options: Parameters<typeof createRig>[0] = {},
): Promise<void> {
  const rig = createRig(options);
  try {
    await rig.addAccount('alice', PASSWORD);
    await rig.addAccount('mallory', PASSWORD);
    await work(rig);
  } finally {
    rig.close();
  }
}

export async function signedIn(rig: Rig, name = 'alice', url = `${APP}/`): Promise<Browser> {
  const browser = rig.browser();
  const page = await browser.signInOn(await browser.open(url), name, PASSWORD);
  assert.equal(page.text, `app for ${name}`);
  return browser;
}

/** Goes as far as the redirect to `land`, and stops before it. */
export async function codeFor(browser: Browser, url: string): Promise<Page> {
  const start = await browser.send(url);
  return browser.send(start.headers.get('location') ?? '');
}
