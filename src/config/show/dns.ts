/** Prints the accounts at DNS providers, without their secrets. */
import { providerTypes } from '../../certs/dns/provider-types.ts';
import { formatDuration } from '../../core/durations.ts';
import { SECRET, type Shown } from './words.ts';
import type { SettingValue } from '../../certs/dns/provider-keys.ts';
import type { DnsProviderSettings } from '../../certs/dns/provider-type.ts';

export function shownDns(providers: readonly DnsProviderSettings[]): Shown | undefined {
  if (providers.length === 0) return undefined;
  return Object.fromEntries(providers.map((one) => [one.name, shownDnsProvider(one)]));
}

function shownDnsProvider(settings: DnsProviderSettings): Shown {
  const { type, values, resolvers, propagationTimeoutMs, propagationDelayMs } = settings;
  const keys = providerTypes().find((one) => one.type === type)?.keys ?? {};
  const shown = Object.entries(values).map(([key, value]) => [key, shownSetting(value, keys[key]?.isSecret ?? true)]);
  return {
    type,
    ...Object.fromEntries(shown),
    resolvers: resolvers.length === 0 ? undefined : resolvers,
    propagation_timeout: formatDuration(propagationTimeoutMs),
    propagation_delay: propagationDelayMs === null ? undefined : formatDuration(propagationDelayMs),
  };
}

function shownSetting(value: SettingValue, isSecret: boolean): Shown | undefined {
  if (typeof value === 'number') return formatDuration(value);
  if (!isSecret || value === undefined) return value;
  return typeof value === 'string' ? SECRET : Object.fromEntries(Object.keys(value).map((name) => [name, SECRET]));
}
