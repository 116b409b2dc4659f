/** What every provider is given besides its settings. */
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { BearerSettings } from '../settings.ts';

export interface AuthProviderDeps {
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** `allowed-group`: `Settings.admission.groups`. Empty: any. */
  readonly allowedGroups: readonly string[];
  /** `Settings.bearer`: which JWTs of machines count. */
  readonly bearer: BearerSettings;
  /** Where clouds tell a program who it is; left out: the process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}
