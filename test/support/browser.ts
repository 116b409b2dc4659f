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

export async function openBrowser(...flags: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: findPeer('chromium') ?? '/usr/bin/chromium', args: [...FLAGS, ...flags] });
}

export async function openContext(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  return browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, ...options });
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
  await page.waitForSelector('#go', { state: 'detached' });
}
