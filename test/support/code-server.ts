/** A real code-server with an empty project, and the hands of a person who works in its terminal. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { findPeer } from './peers.ts';
import { freePorts } from './free-ports.ts';
import { accepts, endProgram, until } from './programs.ts';

export interface CodeServer {
  readonly port: number;
  /** Its project folder. */
  readonly project: string;
  readonly stop: () => Promise<void>;
}

export async function startCodeServer(): Promise<CodeServer> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-code-'));
  for (const name of ['user', 'extensions', 'project']) mkdirSync(join(dir, name));
  mkdirSync(join(dir, 'user', 'User'));
  // The terminal as text in the page, so that its output can be read there.
  writeFileSync(join(dir, 'user', 'User', 'settings.json'), '{ "terminal.integrated.gpuAcceleration": "off" }');
  const [port = 0] = await freePorts(1);
  const folders = ['--user-data-dir', join(dir, 'user'), '--extensions-dir', join(dir, 'extensions')];
  const quiet = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'];
  const args = ['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, ...folders, ...quiet];
  const child = spawn(findPeer('code-server') ?? '', args, {
    stdio: 'ignore',
    env: { ...process.env, HOME: dir, SHELL: '/bin/sh' },
  });
  await until(() => accepts(port), 'code-server listens', 60_000);
  return {
    port,
    project: join(dir, 'project'),
    async stop() {
      await endProgram(child);
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

export interface Sockets {
  open: number;
  lastClosedAt: number;
  /** Frames that the page got. */
  heard: number;
  readonly paths: Set<string>;
}

/** Counts the page's WebSockets; one whose handshake is refused counts as open until the page knows. */
export function watchSockets(page: Page): Sockets {
  const sockets: Sockets = { open: 0, lastClosedAt: 0, heard: 0, paths: new Set() };
  page.on('websocket', (socket) => {
    sockets.open++;
    sockets.paths.add(new URL(socket.url()).pathname);
    socket.on('framereceived', () => sockets.heard++);
    socket.on('close', () => {
      sockets.open--;
      sockets.lastClosedAt = Date.now();
    });
  });
  return sockets;
}

export async function openTerminal(page: Page): Promise<void> {
  await page.waitForSelector('.monaco-workbench');
  const terminal = page.locator('.xterm').first();
  // The shortcut goes nowhere until the workbench has the focus, and closes what it has opened when pressed twice.
  await until(
    async () => {
      await page.keyboard.press('Control+Backquote');
      return terminal.waitFor({ timeout: 8_000 }).then(
        () => true,
        () => false,
      );
    },
    'a terminal opens',
    120_000,
  );
  await terminal.click();
}

const textOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** Types the command until the file that it writes a line to has one; answers what the file holds. */
export async function runInTerminal(page: Page, command: string, file: string): Promise<string> {
  let isAgain = false;
  await until(async () => {
    await page.locator('.xterm').first().click();
    // Where the first keys were lost with the focus, the rest may be a program that reads what is typed next.
    if (isAgain) await page.keyboard.press('Control+c');
    isAgain = true;
    await page.keyboard.type(`${command}\n`, { delay: 5 });
    const deadline = Date.now() + 3_000;
    while (!textOf(file).endsWith('\n') && Date.now() < deadline) await page.waitForTimeout(50);
    return textOf(file).endsWith('\n');
  }, `"${command}" runs in the terminal`);
  return textOf(file);
}
