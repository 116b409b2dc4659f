/** Secrets of options: a value, a file, or the structured form of either. */
import { statSync } from 'node:fs';
import { FileTooLargeError, NamedPipeError, readAtMost } from '../../core/read-at-most.ts';
import { fileSecret, fixedSecret } from './secret.ts';
import type { Secret } from '../settings.ts';
import type { BuildContext } from './context.ts';
import type { Said, SecretSourceInput } from './structured.ts';

/** Null: it cannot be read, which was reported. */
export function openFileSecret(context: BuildContext, file: string, said: Said): Secret | null {
  const problem = fileProblem(file);
  if (problem === null) return fileSecret(file, context);
  const remedy = 'check the path, and that the user who runs Postern may read it';
  context.findings.add({ severity: 'error', ...said, message: `is "${file}", which ${problem}`, remedy });
  return null;
}

class PipeError extends Error {}

/**
 * Of a file that is read here, and again when it is used or has changed. A pipe gives what it holds once: the second
 * time it would be empty, or be waited for while everybody waits.
 */
export function readMoreThanOnce(file: string): Buffer {
  if (statSync(file).isFIFO()) throw new PipeError('a pipe');
  return readAtMost(file);
}

/** Why a file cannot be used; null where it can. */
export function fileProblem(file: string): string | null {
  try {
    return readMoreThanOnce(file).length === 0 ? 'is empty' : null;
  } catch (error) {
    return unreadable(error);
  }
}

/** Whether the file could not be read, rather than used. */
export function isOfReading(error: unknown): boolean {
  return (
    error instanceof FileTooLargeError ||
    error instanceof PipeError ||
    (error as NodeJS.ErrnoException).syscall !== undefined
  );
}

export function unreadable(error: unknown): string {
  if (error instanceof FileTooLargeError || error instanceof NamedPipeError) return error.message.replace('it ', '');
  if (error instanceof PipeError)
    return 'is a pipe: it can be read only once, and nobody may ever write; name a regular file';
  const code = (error as NodeJS.ErrnoException).code ?? 'an unknown reason';
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read';
  return code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`;
}

/** Null: it is none, which was reported. */
export function openSource(context: BuildContext, source: SecretSourceInput, said: Said): Secret | null {
  const fault = (message: string, remedy: string): null => {
    context.findings.add({ severity: 'error', ...said, message, remedy });
    return null;
  };
  const { value, fromEnv, fromFile } = source;
  const count = [value, fromEnv, fromFile].filter((one) => one !== null && one !== '').length;
  if (count === 0) return fault('has no value', 'give one of value, fromEnv or fromFile');
  if (count > 1) return fault('has several values', 'keep one of value, fromEnv or fromFile');
  if (value !== null && value !== '') return fixedSecret(value);
  if (fromFile !== null && fromFile !== '') return openFileSecret(context, fromFile, said);
  const variable = context.variables.get(fromEnv ?? '');
  if (variable === undefined || variable === '')
    return fault(`takes its value from the variable "${fromEnv}", which is not set`, 'set it, or use fromFile');
  return fixedSecret(variable);
}
