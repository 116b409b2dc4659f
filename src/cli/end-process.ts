/**
 * Ends this process, with an exit code that scripts can see. `process.exit()` waits for the threads in which V8
 * compiles, and such a thread may wait for this one to collect garbage: then neither goes on, and what has said its last
 * word stays for ever (nodejs/node#54918). A process with nothing left to do is taken down in an order that knows no
 * such wait.
 */

/** Whatever keeps the process alive by then is not waited for; what was being compiled is done. */
const HELD_MS = 250;

export function endProcess(exitCode: number): void {
  // The first word counts: what has failed, and is closed then in good order, has failed.
  process.exitCode ??= exitCode;
  setTimeout(() => process.exit(), HELD_MS).unref();
}
