/**
 * Brings a challenge's value before the eyes of a CA, and takes it away again. Every value is in the journal before
 * it is set and until it is gone, so that a crash leaves nothing behind for ever.
 */
import { dnsError } from './dns-error.ts';
import type { DnsProvider, Leftover, TxtJournal, TxtPublisher, TxtRecord } from './dns-provider.ts';
import { unlessAborted } from './name-lock.ts';
import { awaitPropagation, type PropagationTools } from './propagation.ts';
import type { DnsProviderSettings } from './provider-type.ts';
import type { Resolver } from './resolver.ts';

export interface PublisherDeps {
  readonly provider: DnsProvider;
  readonly settings: Pick<DnsProviderSettings, 'propagationTimeoutMs' | 'propagationDelayMs'>;
  readonly resolver: Resolver;
  readonly journal: TxtJournal;
  readonly tools: PropagationTools;
}

/** What hosts and ACME have; a CNAME is a stranger's word and becomes a part of requests. */
const NAME = /^(?=.{1,253}$)[a-z0-9_][a-z0-9_-]{0,62}(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

export function createTxtPublisher({ provider, settings, resolver, journal, tools }: PublisherDeps): TxtPublisher {
  /** What this process has set and not taken away, by the name it was asked for. */
  const held = new Map<string, TxtRecord>();
  const places = createPlaces(provider);
  const keyOf = (fqdn: string, value: string): string => `${fqdn} ${value}`;

  const take = async (record: TxtRecord, signal: AbortSignal): Promise<void> => {
    await provider.removeTxt(record.fqdn, record.value, signal);
    await journal.remove(record);
  };

  return {
    publish: async (fqdn, value, signal) => {
      const target = await resolver.followCnames(fqdn, signal);
      if (!NAME.test(target)) throw badTarget(fqdn, target);
      const record = { provider: provider.name, fqdn: target, value };
      await places.enter(record, signal);
      held.set(keyOf(fqdn, value), record);
      await journal.add(record);
      await provider.setTxt(target, value, signal);
      if (settings.propagationDelayMs !== null) return tools.sleep(settings.propagationDelayMs, signal);
      const authority = await resolver.findAuthority(target, signal);
      const timeoutMs = settings.propagationTimeoutMs;
      return awaitPropagation({ name: target, value, authority, timeoutMs, signal }, tools);
    },
    withdraw: async (fqdn, value, signal) => {
      const record = held.get(keyOf(fqdn, value)) ?? (await inJournal(journal, provider, value));
      if (record === null) return;
      try {
        await take(record, signal);
      } finally {
        // What could not be removed is a leftover from now on: it must not keep others waiting.
        held.delete(keyOf(fqdn, value));
        places.leave(record);
      }
    },
    withdrawLeftovers: async (signal) => {
      const own = new Set([...held.values()].map((one) => keyOf(one.fqdn, one.value)));
      const failed: Leftover[] = [];
      for (const record of await journal.list()) {
        if (record.provider !== provider.name || own.has(keyOf(record.fqdn, record.value))) continue;
        try {
          await take(record, signal);
        } catch (error) {
          signal.throwIfAborted();
          failed.push({ ...record, error });
        }
      }
      return failed;
    },
  };
}

/** A value is a hash, so that it alone tells which record is meant. */
async function inJournal(journal: TxtJournal, provider: DnsProvider, value: string): Promise<TxtRecord | null> {
  const records = await journal.list();
  return records.find((one) => one.provider === provider.name && one.value === value) ?? null;
}

interface Places {
  /** Waits for a place among the few values that the provider can hold. */
  readonly enter: (record: TxtRecord, signal: AbortSignal) => Promise<void>;
  readonly leave: (record: TxtRecord) => void;
}

function createPlaces({
  valuesPerName: most = Number.POSITIVE_INFINITY,
  placeOf = (fqdn) => fqdn,
}: DnsProvider): Places {
  const inside = new Map<string, Set<string>>();
  const waiting = new Map<string, (() => void)[]>();
  return {
    enter: async ({ fqdn, value }, signal) => {
      const place = placeOf(fqdn);
      for (;;) {
        const values = inside.get(place) ?? new Set();
        inside.set(place, values);
        if (values.has(value) || values.size < most) return void values.add(value);
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.set(place, [...(waiting.get(place) ?? []), resolve]);
        await unlessAborted(promise, signal);
      }
    },
    leave: ({ fqdn, value }) => {
      const place = placeOf(fqdn);
      const values = inside.get(place);
      values?.delete(value);
      if (values?.size === 0) inside.delete(place);
      for (const wake of waiting.get(place) ?? []) wake();
      waiting.delete(place);
    },
  };
}

function badTarget(fqdn: string, target: string): Error {
  const what = `"${fqdn}" leads by CNAME to ${JSON.stringify(target)}, which is no name for a record`;
  return dnsError({
    code: 'DNS_LOOKUP_FAILED',
    step: 'follow the CNAME',
    provider: 'the resolvers',
    what,
    remedy: 'correct the CNAME record',
  });
}
