/** Debian's Chromium for suites: names under .localhost resolve to loopback in it by themselves. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { findPeer } from './peers.ts';

const SHOTS = resolve(import.meta.dirname, '../output');
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** For what never comes. Two busy processors can keep a page waiting for longer than playwright's half a minute. */
const PATIENCE_MS = 90_000;

export async function openBrowser(...flags: readonly string[]): Promise<Browser> {
  const executablePath = findPeer('chromium') ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: [...FLAGS, ...flags], timeout: PATIENCE_MS });
}

export async function openContext(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/** Kept in test/output/, to be looked at. */
export async function takePicture(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

export async function signInOn(page: Page, name: string, password: string): Promise<void> {
  await page.fill('input[name="name"]', name);
  await page.fill('input[name="password"]', password);
  await page.click('button[type="submit"]');
}

/** Past the pages that lead to a provider and back by themselves, to one that stays. */
export async function arrive(page: Page): Promise<void> {
  // Of a page whose text has not come yet it cannot be told which it is.
  await page.waitForLoadState();
  await page.waitForSelector('#go', { state: 'detached' });
  await page.waitForLoadState();
}
