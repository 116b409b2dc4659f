/**
 * Keeps what Node has compiled for the next start, where bin/postern names a folder for it: twice as much
 * work at each start otherwise, and an update would stay slow for ever. Not at exit: threads that are
 * ended write nothing.
 */
import { flushCompileCache } from 'node:module';

/** Later, when a start is over and nobody waits. */
const LATER_MS = 3_000;

export function keepCompiled(): void {
  setTimeout(() => flushCompileCache(), LATER_MS).unref();
}
