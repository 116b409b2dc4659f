/** Joins settings, store, providers and listeners for `postern forward-auth` and `postern guard`. */
import { PosternError } from '../core/errors.ts';
import type { OwnedLogger } from '../core/log.ts';
import type { Settings } from '../forward-auth/settings.ts';

export interface ForwardAuthOptions {
  readonly settings: Settings;
  /** Null: sessions are kept in memory, and end with the process. */
  readonly dataDir: string | null;
  readonly version: string;
  readonly isTerminal: boolean;
  /** Called once, when serving cannot go on. */
  readonly onFatal: (error: unknown) => void;
}

export interface ForwardAuth {
  readonly log: OwnedLogger;
  /** Serves by these settings from the next request on; listeners and sessions stay. Rejects where it cannot. */
  readonly reload?: (settings: Settings) => Promise<void>;
  /** Answers what is open, then ends. */
  readonly close: () => Promise<void>;
}

export function startForwardAuth(_options: ForwardAuthOptions): Promise<ForwardAuth> {
  return Promise.reject(new PosternError('OPERATION_REFUSED', 'Cannot serve: this build reads settings alone'));
}
