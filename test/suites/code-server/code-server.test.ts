/**
 * The main job: a real code-server behind Postern, in a real browser. A deep link, a sign-in, a terminal
 * that runs a command; a stranger's 403; a revoked session whose terminal drops while others go on.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, openContext, signInOn, takePicture } from '../../support/browser.ts';
import { findPeer, skipWithout } from '../../support/peers.ts';
import { addUser, freePorts, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

const skip = skipWithout('code-server', 'chromium');

async function until(isDone: () => boolean | Promise<boolean>, what: string, mostMs = 40_000): Promise<void> {
  const deadline = Date.now() + mostMs;
  while (!(await isDone())) {
    if (Date.now() > deadline) throw new Error(`Cannot go on: ${what} did not happen within ${mostMs} ms`);
    await sleep(50);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(Boolean(socket.destroy())));
    socket.once('error', () => resolve(false));
  });
}

interface Sockets {
  open: number;
  lastClosedAt: number;
}

/** Counts the page's WebSockets to code-server. */
function watchSockets(page: Page): Sockets {
  const sockets: Sockets = { open: 0, lastClosedAt: 0 };
  page.on('websocket', (socket) => {
    sockets.open++;
    socket.on('close', () => {
      sockets.open--;
      sockets.lastClosedAt = Date.now();
    });
  });
  return sockets;
}

async function openTerminal(page: Page): Promise<void> {
  await page.waitForSelector('.monaco-workbench', { timeout: 60_000 });
  // A click into the workbench first: the shortcut goes to whoever has the focus.
  await until(async () => {
    await page.keyboard.press('Control+Backquote');
    await sleep(1_500);
    return (await page.locator('.terminal-wrapper, .xterm').count()) > 0;
  }, 'a terminal opens');
  await page.locator('.xterm').first().click();
}

async function runInTerminal(page: Page, command: string, file: string): Promise<void> {
  await until(async () => {
    await page.keyboard.type(`${command}\n`, { delay: 10 });
    await sleep(1_000);
    return existsSync(file);
  }, `"${command}" runs in the terminal`);
}

suite('code-server behind Postern', { skip }, () => {
  let dir = '';
  let app: ChildProcess | null = null;
  let postern: PosternProcess;
  let browser: Browser;
  const passwords = new Map<string, string>();

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-code-'));
    for (const name of ['user', 'extensions', 'project']) mkdirSync(join(dir, name));
    mkdirSync(join(dir, 'user', 'User'));
    // The terminal as text in the page, so that its output can be read there.
    writeFileSync(join(dir, 'user', 'User', 'settings.json'), '{ "terminal.integrated.gpuAcceleration": "off" }');
    const [port = 0] = await freePorts(1);
    const args = ['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--user-data-dir', join(dir, 'user')];
    const more = [
      '--extensions-dir',
      join(dir, 'extensions'),
      '--disable-telemetry',
      '--disable-update-check',
      '--disable-workspace-trust',
    ];
    app = spawn(findPeer('code-server') ?? '', [...args, ...more], {
      stdio: 'ignore',
      env: { ...process.env, HOME: dir, SHELL: '/bin/sh' },
    });
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  code.localhost:
    to: http://127.0.0.1:${port}
    allow: ["user:alice", "group:developers"]
    max_body: unlimited
`,
    });
    passwords.set('alice', await addUser(postern, 'alice'));
    passwords.set('dora', await addUser(postern, 'dora', ['developers']));
    passwords.set('mallory', await addUser(postern, 'mallory'));
    await until(() => accepts(port), 'code-server listens', 60_000);
    browser = await openBrowser();
  });

  after(async () => {
    await browser?.close();
    await postern?.close();
    app?.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  const visit = async (name: string): Promise<{ page: Page; sockets: Sockets }> => {
    const context = await openContext(browser);
    const page = await context.newPage();
    const sockets = watchSockets(page);
    await page.goto(`https://code.localhost:${postern.https}/?folder=${join(dir, 'project')}`);
    await page.waitForSelector('input[name="password"]');
    if (name === 'alice') await takePicture(page, 'code-server-sign-in');
    await signInOn(page, name, passwords.get(name) ?? '');
    return { page, sockets };
  };

  test(
    'a deep link leads through the sign-in to a terminal, which drops when its session is revoked',
    { timeout: 240_000 },
    async () => {
      const alice = await visit('alice');
      const link = `https://code.localhost:${postern.https}/?folder=${join(dir, 'project')}`;
      await alice.page.waitForURL((url) => url.host === `code.localhost:${postern.https}` && url.search !== '');
      assert.equal(alice.page.url(), link);
      await openTerminal(alice.page);
      const marker = join(dir, 'project', 'alice.txt');
      await runInTerminal(alice.page, `echo it works | tee ${marker}`, marker);
      assert.equal(readFileSync(marker, 'utf8'), 'it works\n');
      await until(
        async () => ((await alice.page.locator('.xterm-rows').first().textContent()) ?? '').includes('works'),
        'the terminal shows the output',
      );
      await takePicture(alice.page, 'code-server-terminal');

      const dora = await visit('dora');
      await dora.page.waitForSelector('.monaco-workbench', { timeout: 60_000 });
      await until(() => dora.sockets.open > 0, 'the other workbench connects');
      const others = dora.sockets.open;

      assert.ok(alice.sockets.open > 0);
      const revokedAt = Date.now();
      const revoked = await postern.cli('sessions', 'revoke', '--user', 'alice');
      assert.equal(revoked.code, 0, revoked.stderr);
      const acknowledgedAt = Date.now();
      await until(() => alice.sockets.lastClosedAt >= revokedAt, 'a WebSocket of the revoked session closes', 5_000);
      assert.ok(
        alice.sockets.lastClosedAt - acknowledgedAt < 1_000,
        `closed ${alice.sockets.lastClosedAt - acknowledgedAt} ms after the acknowledgement`,
      );
      await sleep(1_500);
      assert.equal(dora.sockets.open, others, 'the other user goes on');
      const after = join(dir, 'project', 'after.txt');
      await alice.page.keyboard.type(`echo late > ${after}\n`).catch(() => undefined);
      await sleep(1_000);
      assert.equal(existsSync(after), false, 'nothing is typed into the terminal any more');
    },
  );

  test('a stranger gets the 403 page with the account and a request id', { timeout: 60_000 }, async () => {
    const { page } = await visit('mallory');
    await page.waitForSelector('text=mallory');
    await takePicture(page, 'code-server-denied');
    assert.match((await page.textContent('body')) ?? '', /mallory/);
    const answer = await page.goto(`https://code.localhost:${postern.https}/`);
    assert.notEqual(answer?.status(), 200);
  });
});
