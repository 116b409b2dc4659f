/** One real app behind Postern at a name that is not under localhost, and people who meet it in Chromium. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, openContext, signInOn } from '../../support/browser.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Program } from '../../support/programs.ts';

export interface AppRig {
  readonly postern: PosternProcess;
  readonly dir: string;
  /** Of the app itself. */
  readonly direct: string;
  readonly urlOf: (host: string) => string;
  /** Signs in on the way to the URL, in a browser of the person's own, and answers the page it led to. */
  readonly visit: (name: string, url: string, watch?: (page: Page) => void) => Promise<Page>;
  readonly revoke: (name: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface AppRigOptions {
  readonly program: string;
  readonly args: (port: number, dir: string) => readonly string[];
  /** The lines of `hosts:` and what else the document needs, given the app's port. */
  readonly document: (port: number) => string;
  readonly people: readonly string[];
}

export async function startAppRig(options: AppRigOptions): Promise<AppRig> {
  const dir = mkdtempSync(join(tmpdir(), `postern-${options.program}-`));
  const [port = 0] = await freePorts(1);
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const app: Program = startProgram(options.program, options.args(port, dir), { HOME: dir, PATH: path });
  let browser: Browser | null = null;
  const postern = await startPostern({
    document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.lab.test:${https}" }
${options.document(port)}`,
  });
  const urlOf = (host: string): string => `https://${host}.lab.test:${postern.https}`;
  const close = async (): Promise<void> => {
    await browser?.close();
    await postern.close();
    await app.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  const passwords = new Map<string, string>();
  try {
    for (const name of options.people) passwords.set(name, await addUser(postern, name));
    await until(() => accepts(port), `${options.program} listens`, 60_000);
    browser = await openBrowser('--host-resolver-rules=MAP *.lab.test 127.0.0.1');
  } catch (error) {
    await close();
    throw new Error(`${String(error)}. It printed:\n${app.output()}`, { cause: error });
  }
  const opened = browser;
  return {
    postern,
    dir,
    direct: `http://127.0.0.1:${port}`,
    urlOf,
    async visit(name, url, watch) {
      const page = await (await openContext(opened)).newPage();
      watch?.(page);
      await page.goto(url);
      await page.waitForSelector('input[name="password"]');
      await signInOn(page, name, passwords.get(name) ?? '');
      await page.waitForURL((at) => at.host === new URL(url).host);
      return page;
    },
    async revoke(name) {
      const done = await postern.cli('sessions', 'revoke', '--user', name);
      if (done.code !== 0) throw new Error(`Cannot revoke: ${done.stdout}${done.stderr}`);
    },
    close,
  };
}
