/**
 * Runs a command without a shell, in a process group of its own, with a bound on its time; what it printed stands in
 * the error. It gets the environment that it is given and nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { dnsError, maskSecrets, reasonOf } from './dns-error.ts';

const LONGEST_OUTPUT = 64 * 1024;

export interface Run {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly step: string;
  readonly secrets: readonly string[];
}

export async function runCommand({ argv, env, timeoutMs, step, secrets }: Run, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const [file = '', ...args] = argv;
  // A process group of its own, so that what the command started ends with it.
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const output = collect(child);
  const ending = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const end = (): void => killGroup(child);
  ending.addEventListener('abort', end);
  const told = { step, provider: 'the command', facts: { command: file } };
  const result = await new Promise<{ code: number | null } | { error: Error }>((resolve) => {
    child.once('error', (error) => resolve({ error }));
    child.once('close', (code) => resolve({ code }));
  }).finally(() => ending.removeEventListener('abort', end));
  signal.throwIfAborted();
  const words = maskSecrets(output(), secrets);
  if ('error' in result)
    throw dnsError({
      ...told,
      code: 'DNS_PROVIDER_REFUSED',
      what: `"${file}" cannot be run`,
      words: reasonOf(result.error),
      remedy: 'check its path and permissions',
    });
  if (ending.aborted)
    throw dnsError({
      ...told,
      code: 'DNS_PROVIDER_UNAVAILABLE',
      what: `"${file}" was ended after ${timeoutMs / 1000} s`,
      words,
    });
  if (result.code !== 0)
    throw dnsError({
      ...told,
      code: 'DNS_PROVIDER_REFUSED',
      what: `"${file}" ended with ${result.code ?? 'a signal'}`,
      words,
    });
}

/** The end of what it printed: the reason stands there. */
function collect(child: ChildProcess): () => string {
  let text = '';
  const add = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-LONGEST_OUTPUT);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => text.trim().slice(-280);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
