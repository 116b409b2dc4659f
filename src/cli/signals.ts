/**
 * What signals ask of a server: SIGHUP to read its settings again, SIGTERM and Ctrl-C to answer what runs and end.
 * A supervisor may tell the whole group and its parent too, so the end is begun once; a second Ctrl-C is a person
 * who does not want to wait.
 */

export interface SignalHandlers {
  readonly reload: () => void;
  readonly end: (signal: string) => void;
}

export interface CaughtSignals {
  /** The server runs: from now on they reach it, one that came before too. */
  readonly handTo: (handlers: SignalHandlers) => void;
}

/** Call it first of all: what a start has not taken yet, SIGHUP would end. */
export function catchSignals(): CaughtSignals {
  let handlers: SignalHandlers | null = null;
  let isAsked = false;
  let isEnding = false;
  process.on('SIGHUP', () => {
    if (handlers === null) isAsked = true;
    else if (!isEnding) handlers.reload();
  });
  return {
    handTo(taken) {
      handlers = taken;
      const end = (signal: string): void => {
        if (isEnding) return;
        isEnding = true;
        taken.end(signal);
      };
      process.on('SIGTERM', () => end('SIGTERM'));
      process.on('SIGINT', () => {
        if (isEnding) process.exit(130);
        end('SIGINT');
      });
      if (isAsked) taken.reload();
    },
  };
}
