/** Runs the twin of a provider in a process that stands back behind the load. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

export type TwinOrder =
  | { readonly kind: 'people'; readonly count: number; readonly redirectUri: string }
  /** Refresh tokens of so many of them, in their order. */
  | { readonly kind: 'tokens'; readonly count: number }
  | { readonly kind: 'stop' | 'start' | 'look' };

export interface TwinState {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Good refreshes: of all together, and of whoever had most of them. */
  readonly refreshed: number;
  readonly most: number;
  /** Refresh tokens that came once more after they were used. */
  readonly reused: number;
  /** Where they were asked for. */
  readonly tokens: readonly string[];
}

export interface TwinControl {
  readonly tell: (order: TwinOrder) => Promise<TwinState>;
  readonly close: () => void;
}

export function startTwinProcess(wrap: readonly string[]): TwinControl {
  const [execPath = process.execPath, ...rest] = wrap;
  const execArgv = wrap.length === 0 ? [] : [...rest, process.execPath];
  const child = fork(new URL('./twin-process.ts', import.meta.url), { execPath, execArgv });
  process.once('exit', () => child.kill('SIGKILL'));
  return {
    async tell(order) {
      child.send(order);
      const [state] = (await once(child, 'message')) as [TwinState];
      return state;
    },
    close: () => child.kill('SIGKILL'),
  };
}
