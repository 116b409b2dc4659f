/**
 * Says once when the process has no file descriptors left, and once when it has again. The kernel and libuv
 * turn visitors away without a word then: the only way to know is to ask for one.
 */
import { closeSync, openSync } from 'node:fs';
import type { Logger } from '../core/log.ts';

const EVERY_MS = 500;

export function watchDescriptors(
  log: Pick<Logger, 'error' | 'info'>,
  open: (path: string) => number = (path) => openSync(path, 'r'),
): { readonly look: () => void; readonly close: () => void } {
  let isOut = false;
  const look = (): void => {
    const code = reasonOf(open);
    if ((code !== null) === isOut) return;
    isOut = code !== null;
    const text =
      'No file descriptors are left: visitors and apps are turned away until some are closed; raise LimitNOFILE in the unit, or "ulimit -n"';
    if (isOut) log.error({ code: 'OVERLOADED', reason: code }, text);
    else log.info({}, 'File descriptors are free again');
  };
  const timer = setInterval(look, EVERY_MS).unref();
  return { look, close: () => clearInterval(timer) };
}

function reasonOf(open: (path: string) => number): string | null {
  try {
    closeSync(open('/dev/null'));
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EMFILE' || code === 'ENFILE' ? code : null;
  }
}
