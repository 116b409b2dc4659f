/** Runs a command without a shell, in a process group of its own, with a bound on its time and its output. */
import { type ChildProcess, spawn } from 'node:child_process';
import { timerMs } from '../core/durations.ts';

export interface ProcessRun {
  readonly argv: readonly string[];
  /** All of it: nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** `output`: the end of what it printed; the reason stands there. */
export type ProcessEnd =
  | { readonly kind: 'ended'; readonly code: number | null; readonly output: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly output: string }
  | { readonly kind: 'timeout'; readonly output: string };

const LONGEST_OUTPUT = 4 * 1024;

export async function runProcess({ argv, env, timeoutMs }: ProcessRun, signal: AbortSignal): Promise<ProcessEnd> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  const add = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-LONGEST_OUTPUT);
  };
  child.stdout.on('data', add);
  child.stderr.on('data', add);
  const late = AbortSignal.timeout(timerMs(timeoutMs));
  const ending = AbortSignal.any([signal, late]);
  const end = (): void => killGroup(child);
  ending.addEventListener('abort', end);
  if (ending.aborted) end();
  const result = await new Promise<{ code: number | null } | { error: Error }>((resolve) => {
    child.once('error', (error) => resolve({ error }));
    // Not "close": a daemon that it started may hold the pipes.
    child.once('exit', (code) => setImmediate(() => resolve({ code })));
  }).finally(() => ending.removeEventListener('abort', end));
  child.stdout.destroy();
  child.stderr.destroy();
  const text = output.trim().slice(-280);
  if ('error' in result) return { kind: 'failed', reason: result.error.message, output: text };
  return late.aborted ? { kind: 'timeout', output: text } : { kind: 'ended', code: result.code, output: text };
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
