/**
 * A problem in something an operator wrote, as a value: problems are collected and shown all at once.
 * `path` is where in the document; the loader turns it into file, line and column.
 */
import type { ErrorCode } from './errors.ts';

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** Where a more telling code than CONFIG_INVALID applies, e.g. TLS_BAD_CERTIFICATE. */
  readonly code?: ErrorCode;
  /** Keys and indexes from the document's root, e.g. ['hosts', 'code.example.com', 'allow', 0]. */
  readonly path: readonly (string | number)[];
  /** What is wrong, with the quoted value and what was expected. Capital first, no full stop. */
  readonly message: string;
  /** What to write instead, or null where no single remedy exists. */
  readonly remedy: string | null;
}

export function problem(path: readonly (string | number)[], message: string, remedy: string | null = null): Diagnostic {
  return { severity: 'error', path, message, remedy };
}

export function warning(path: readonly (string | number)[], message: string, remedy: string | null = null): Diagnostic {
  return { severity: 'warning', path, message, remedy };
}
