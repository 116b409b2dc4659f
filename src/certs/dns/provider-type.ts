/**
 * A type of DNS provider, as data: its keys, what its credentials need, what it was tried against, and how to
 * make a provider of it. The catalogue lists them all; nothing else knows one from another.
 */
import type { DnsProvider } from './dns-provider.ts';
import {
  duration,
  type KeyFacts,
  type Keys,
  optionalDuration,
  optionalList,
  type SettingsOf,
  type SettingValue,
} from './provider-keys.ts';
import type { ProviderTools } from './tools.ts';

interface ProviderFacts {
  /** The word in the document: "cloudflare". */
  readonly type: string;
  /** "Cloudflare". */
  readonly title: string;
  /** Where its API is documented. */
  readonly documentation: string;
  readonly keys: Keys;
  /** What the credentials need: a whole clause such as "the token needs Zone:DNS:Edit". */
  readonly permission: string;
  /** "twin": a local server that follows the documented API; else the real server. */
  readonly triedAgainst: string;
  /** Where it differs from the others. */
  readonly note?: string;
}

export interface ProviderType<K extends Keys> extends ProviderFacts {
  readonly keys: K;
  readonly create: (settings: SettingsOf<K>, tools: ProviderTools, name: string) => DnsProvider;
}

/** Any of them: its settings are as its keys say, which only the check of the document knows. */
export interface AnyProviderType extends ProviderFacts {
  readonly create: (settings: never, tools: ProviderTools, name: string) => DnsProvider;
}

/** Keeps the types of the keys for `create`. */
export function defineProviderType<const K extends Keys>(type: ProviderType<K>): ProviderType<K> {
  return type;
}

/** Keys that every provider has. */
export const COMMON_KEYS: {
  readonly resolvers: KeyFacts<readonly string[] | undefined>;
  readonly propagation_timeout: KeyFacts<number>;
  readonly propagation_delay: KeyFacts<number | undefined>;
} = {
  resolvers: optionalList(
    'Resolvers that are asked for the name servers of the zone and for CNAMEs. Without it: those of the system.',
    { example: ['9.9.9.9', '[2620:fe::fe]:53'] },
  ),
  propagation_timeout: duration('Longest wait until every authoritative server answers with the record.', '5m'),
  propagation_delay: optionalDuration(
    'Wait this long instead of asking the authoritative servers: for networks that let no DNS out.',
  ),
};

/** One entry of the document's `dns:`, checked. */
export interface DnsProviderSettings {
  readonly name: string;
  readonly type: string;
  readonly values: Readonly<Record<string, SettingValue>>;
  readonly resolvers: readonly string[];
  readonly propagationTimeoutMs: number;
  /** Null: the authoritative servers are asked. */
  readonly propagationDelayMs: number | null;
  readonly at: readonly (string | number)[];
}
