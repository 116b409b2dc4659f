/** Starts a real Postern process in a fresh folder, as an operator would, and signs people in through its pages. */
import { spawn, execFile } from 'node:child_process';
import type { ChildProcess, ExecFileException } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts } from './free-ports.ts';
import { createTimeLimit } from './time-limit.ts';
import { createVisitor } from './visitor.ts';
import type { Visitor } from './visitor.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/postern');

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PosternProcess {
  readonly dir: string;
  readonly configFile: string;
  readonly dataDir: string;
  readonly https: number;
  readonly http: number;
  readonly health: number;
  readonly child: ChildProcess;
  /** Everything printed so far. */
  readonly output: () => string;
  /** Runs `postern ARGS --data DIR`. */
  readonly cli: (...args: readonly string[]) => Promise<Finished>;
  readonly writeConfig: (text: string) => void;
  /** Resolves when the output holds the text; throws after 40 s or when the process ends. */
  readonly waitFor: (text: string | RegExp, from?: number) => Promise<void>;
  readonly close: (signal?: NodeJS.Signals) => Promise<number | null>;
}

export interface PosternOptions {
  /** Gets the ports; `listen:` is the caller's to write. Null: the caller has written `configFile`. */
  readonly document: (ports: { https: number; http: number; health: number }) => string | null;
  readonly configFile?: string;
  /** Command that the program is an argument of. */
  readonly wrap?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** As taskset has them: one, or several with commas. */
  readonly core?: number | string;
  readonly keepDir?: string;
  /** Those of a process that ran before, for a restart. */
  readonly ports?: { readonly https: number; readonly health: number };
  /** One of `files`, loaded into every thread before the program; it knows the folder as DEFECTS. */
  readonly preload?: string;
  /** A file that takes what goes to standard output instead of `output`. */
  readonly stdout?: string;
}

export async function startPostern(options: PosternOptions): Promise<PosternProcess> {
  const dir = options.keepDir ?? mkdtempSync(join(tmpdir(), 'postern-'));
  const [free = 0, http = 0, another = 0] = await freePorts(3);
  const { https, health } = options.ports ?? { https: free, health: another };
  const configFile = options.configFile ?? join(dir, 'postern.yaml');
  const dataDir = join(dir, 'data');
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), text);
  const text = options.document({ https, http, health });
  if (text !== null) writeFileSync(configFile, text);
  const args = ['run', '--config', configFile, '--data', dataDir, ...(options.args ?? [])];
  const pin = options.core === undefined ? [] : ['taskset', '-c', String(options.core)];
  const [command = PROGRAM, ...rest] = [...pin, ...(options.wrap ?? []), PROGRAM, ...args];
  const preload =
    options.preload === undefined ? {} : { NODE_OPTIONS: `--import ${join(dir, options.preload)}`, DEFECTS: dir };
  const child = spawn(command, rest, {
    cwd: dir,
    env: { ...process.env, ...preload, ...options.env },
    stdio: ['ignore', options.stdout === undefined ? 'pipe' : openSync(options.stdout, 'w'), 'pipe'],
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  const killer = (): unknown => child.kill('SIGKILL');
  process.once('exit', killer);

  const postern: PosternProcess = {
    dir,
    configFile,
    dataDir,
    https,
    http,
    health,
    child,
    output: () => output,
    cli: (...cliArgs) => runPostern([...cliArgs, '--data', dataDir], options.env),
    writeConfig: (text) => writeFileSync(configFile, text),
    waitFor: (text, from = 0) =>
      waitUntil(
        () => matches(output.slice(from), text),
        child,
        () => output,
      ),
    async close(signal = 'SIGTERM') {
      child.kill(signal);
      const code = await ended;
      process.removeListener('exit', killer);
      if (options.keepDir === undefined) rmSync(dir, { recursive: true, force: true });
      return code;
    },
  };
  await postern.waitFor(/ready/i).catch((error: unknown) => {
    // Left alone, it would keep the test's process alive.
    child.kill('SIGKILL');
    throw error;
  });
  return postern;
}

function matches(text: string, wanted: string | RegExp): boolean {
  return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
}

async function waitUntil(isDone: () => boolean, child: ChildProcess, output: () => string): Promise<void> {
  const isOver = createTimeLimit(40_000);
  while (!isDone()) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || isOver())
      throw new Error(`Cannot wait for Postern: ${ended ? 'it ended' : '40 s passed'}. It printed:\n${output()}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

export function runPostern(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return new Promise((done) => {
    execFile(PROGRAM, [...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      done({ code: exitCode(error), stdout, stderr });
    });
  });
}

function exitCode(error: ExecFileException | null): number {
  if (error === null) return 0;
  return typeof error.code === 'number' ? error.code : 1;
}

/** `postern user add NAME`, then sets a password through the one-time link. Answers the password. */
export async function addUser(
  postern: PosternProcess,
  name: string,
  groups: readonly string[] = [],
  more: readonly string[] = [],
): Promise<string> {
  const args = [...groups.flatMap((group) => ['--group', group]), ...more];
  const added = await postern.cli('user', 'add', name, ...args, '--print-link');
  const link = /https?:\/\/\S+/.exec(added.stdout)?.[0];
  if (added.code !== 0 || link === undefined)
    throw new Error(`Cannot add user "${name}": ${added.stdout}${added.stderr}`);
  const password = `correct horse ${name}`;
  const visitor = createVisitor();
  const page = await visitor.open(link);
  const after = await visitor.submit(page, { password, confirm: password, again: password });
  if (after.status !== 200) throw new Error(`Cannot set the password of "${name}": ${after.status} ${after.body}`);
  return password;
}

/** Opens the URL, signs in on the page it leads to, and answers the visitor, now back at the URL. */
export async function signIn(url: string, name: string, password: string): Promise<Visitor> {
  const visitor = createVisitor();
  const page = await visitor.open(url);
  const after = await visitor.submit(page, { name, username: name, user: name, password }, 'sign-in');
  if (after.status !== 200)
    throw new Error(`Cannot sign "${name}" in: ${after.status} at ${after.url}: ${after.body.slice(0, 500)}`);
  return visitor;
}
