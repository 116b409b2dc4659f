/** Starts one of the two programs, from the same settings, and waits until it listens. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { findPeer } from '../../support/peers.ts';
import { accepts } from '../../support/programs.ts';
import { createTimeLimit } from '../../support/time-limit.ts';

export type ProgramName = 'oauth2-proxy' | 'postern';

export interface Settings {
  readonly env: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Name -> text, written to the folder that `{dir}` stands for. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface Running {
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

const POSTERN = resolve(import.meta.dirname, '../../../bin/postern');
const START_MS = 60_000;

/** Null: the program refused its settings. Its words are in `output`. */
export async function startIn(
  name: ProgramName,
  dir: string,
  settings: Settings & { readonly port: number },
): Promise<Running | { readonly refused: string }> {
  for (const [file, text] of Object.entries(settings.files ?? {})) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), text);
  }
  const [command, own] =
    name === 'postern'
      ? [POSTERN, ['forward-auth', '--data', join(dir, 'data')]]
      : [findPeer('oauth2-proxy') ?? 'oauth2-proxy', []];
  const child = spawn(command, [...own, ...(settings.args ?? [])], {
    cwd: dir,
    env: {
      PATH: process.env['PATH'],
      HOME: dir,
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ...settings.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((done) => {
    child.once('close', () => done());
  });
  const killer = (): unknown => child.kill('SIGKILL');
  process.once('exit', killer);
  const isOver = createTimeLimit(START_MS);
  while (!(await accepts(settings.port))) {
    if (child.exitCode !== null || child.signalCode !== null) {
      process.removeListener('exit', killer);
      await ended;
      return { refused: output };
    }
    if (isOver()) {
      child.kill('SIGKILL');
      throw new Error(`Cannot start ${name} within ${START_MS} ms. It printed:\n${output}`);
    }
    await new Promise((done) => {
      setTimeout(done, 25);
    });
  }
  return {
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(timer);
      process.removeListener('exit', killer);
    },
  };
}
