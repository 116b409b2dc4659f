/** Starts a peer program for a suite and waits until it listens; its output is there when it does not. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { findPeer } from './peers.ts';
import { createTimeLimit } from './time-limit.ts';

export interface Program {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

export function startProgram(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const child = spawn(findPeer(name) ?? name, [...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const program: Program = { child, output: () => output, stop: () => endProgram(child) };
  child.once('exit', (code, signal) => {
    if (code !== 0 && !child.killed)
      fallen.push(`"${name}" has ended with ${code ?? signal}:\n${output.slice(-MOST_TOLD)}`);
  });
  return program;
}

/** Programs that ended by themselves, for whoever waits for them in vain. */
const fallen: string[] = [];
const MOST_TOLD = 4_000;

/** Until it has ended: while it writes on, its folder cannot be removed. */
export async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((done) => {
    child.once('exit', () => done());
  });
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
}

/** So that a failing test ends. Call what it answers once the program has ended. */
export function killLate(child: ChildProcess, mostMs = 60_000): () => void {
  const isOver = createTimeLimit(mostMs);
  const timer = setInterval(() => {
    if (isOver()) child.kill('SIGKILL');
  }, 500);
  return () => clearInterval(timer);
}

/**
 * What is promised within a second, as the end of a connection after its session's, is within this on a machine that
 * runs other suites beside. Who is not told, but has to find out, takes ten seconds and more.
 */
export const AT_ONCE_MS = 9_000;

type Condition = () => boolean | Promise<boolean>;
/** Of what did not happen; a function tells more of it at the time. */
type What = string | (() => string);

function named(what: What): string {
  return typeof what === 'string' ? what : what();
}

/** The same of a program: one that has ended is told at once, with what it said, in place of waiting for what never comes. */
export async function whileAlive({ child, output }: Program, isSo: Condition, what: What): Promise<void> {
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  await until(async () => {
    if (!isOver()) return (await isSo()) && !isOver();
    throw new Error(
      `Cannot go on: ${named(what)}: it has ended with ${child.exitCode ?? child.signalCode}\n${output()}`,
    );
  }, what);
}

/** Asks again and again until it is so. The limit is for what never comes, so that a failing test ends. */
export async function until(isSo: Condition, what: What, mostMs = 40_000): Promise<void> {
  const isOver = createTimeLimit(mostMs);
  while (!(await isSo())) {
    if (isOver())
      throw new Error([`Cannot go on: ${named(what)} did not happen within ${mostMs} ms`, ...fallen].join('\n'));
    await new Promise((done) => {
      setTimeout(done, 100);
    });
  }
}

/** The same of many of a kind, of which each takes as long as the machine does: the limit is for no more of them. */
export async function untilAll(
  count: () => number | Promise<number>,
  all: number,
  { what, mostIdleMs = 40_000 }: { readonly what: string; readonly mostIdleMs?: number },
): Promise<void> {
  for (let before = await count(); before < all;) {
    let now = before;
    const isMore = async (): Promise<boolean> => (now = await count()) > before;
    await until(isMore, () => `${what}: after ${now} of ${all} one more`, mostIdleMs);
    before = now;
  }
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(Boolean(socket.destroy())));
    socket.once('error', () => resolve(false));
  });
}
