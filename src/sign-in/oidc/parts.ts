/** What signing in by one OpenID provider, refreshing and asking it are made of. */
import type { OidcProvider } from '../../config/document/providers.ts';
import type { Clock } from '../../core/clock.ts';
import type { GoogleGroups } from '../google/groups.ts';
import type { ProviderHttp } from '../provider-http.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { Discovery } from './discovery.ts';
import type { ProviderKeys } from './keys.ts';

export interface Parts {
  readonly provider: OidcProvider;
  readonly http: ProviderHttp;
  readonly discovery: Discovery;
  readonly keys: ProviderKeys;
  readonly clock: Clock;
  readonly clockWatch: ClockWatch;
  /** Groups of a directory beside the provider; null: there is none. */
  readonly googleGroups: GoogleGroups | null;
}
