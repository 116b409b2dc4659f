/**
 * The two ways in which APIs keep several TXT values of one name, made into the contract's set: APIs of single
 * records (list, create, remove one), and APIs of whole record sets (read, write all), where a change of
 * somebody else in between is noticed where the API allows it. Ours come one after another: the catalogue sees to that.
 */
import { dnsError } from './dns-error.ts';
import type { DnsProvider } from './dns-provider.ts';
import { labelsBelow, type Zone, type ZoneOf } from './zone-walk.ts';

export interface Place {
  readonly zone: Zone;
  readonly fqdn: string;
  /** Relative to the zone: "" for the zone itself. */
  readonly below: string;
  readonly signal: AbortSignal;
}

export interface SingleRecord {
  readonly id: string;
  /** Without quotes. */
  readonly value: string;
}

export interface RecordsApi {
  readonly zoneOf: ZoneOf;
  /** TXT records of exactly this name. */
  readonly list: (place: Place) => Promise<readonly SingleRecord[]>;
  /** `beside` are the values that the name has already. */
  readonly create: (place: Place, value: string, beside: readonly SingleRecord[]) => Promise<void>;
  /** One that is gone already is no error. */
  readonly remove: (place: Place, record: SingleRecord) => Promise<void>;
}

export function providerOfRecords(name: string, api: RecordsApi): DnsProvider {
  const withValue = async (place: Place, value: string): Promise<readonly SingleRecord[]> =>
    (await api.list(place)).filter((one) => one.value === value);
  return {
    name,
    setTxt: async (fqdn, value, signal) => {
      const place = await placeOf(fqdn, api.zoneOf, signal);
      const records = await api.list(place);
      if (records.some((one) => one.value === value)) return;
      await unlessDone(
        () => api.create(place, value, records),
        async () => (await withValue(place, value)).length > 0,
        signal,
      );
    },
    removeTxt: async (fqdn, value, signal) => {
      const place = await placeOf(fqdn, api.zoneOf, signal);
      for (const record of await withValue(place, value)) {
        await unlessDone(
          () => api.remove(place, record),
          async () => !(await withValue(place, value)).some(({ id }) => id === record.id),
          signal,
        );
      }
    },
  };
}

/**
 * An answer may be lost on the way, and what is asked again then be refused since it is done: a failure counts
 * only where the change is not there.
 */
async function unlessDone(
  work: () => Promise<void>,
  isDone: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    signal.throwIfAborted();
    if (!(await isDone().catch(() => false))) throw error;
  }
}

export interface RecordSet {
  /** Without quotes; empty where there is no such set. */
  readonly values: readonly string[];
  /** As the server gave it: an etag, a TTL, whatever `write` needs to notice a change in between. */
  readonly version?: string;
  /** The set's own TTL in seconds, kept when it is changed. */
  readonly ttl?: number;
}

export interface RecordSetsApi {
  readonly zoneOf: ZoneOf;
  readonly read: (place: Place) => Promise<RecordSet>;
  /** No values: the set goes. "conflict": somebody changed it since it was read. */
  readonly write: (place: Place, values: readonly string[], before: RecordSet) => Promise<'done' | 'conflict'>;
}

const MOST_CONFLICTS = 5;

export function providerOfRecordSets(name: string, api: RecordSetsApi): DnsProvider {
  type Edit = (values: readonly string[]) => readonly string[];
  const change = async (fqdn: string, signal: AbortSignal, edit: Edit): Promise<void> => {
    const place = await placeOf(fqdn, api.zoneOf, signal);
    for (let attempt = 1; attempt <= MOST_CONFLICTS; attempt++) {
      const before = await api.read(place);
      const after = edit(before.values);
      if (after.length === before.values.length) return;
      if ((await api.write(place, after, before)) === 'done') return;
    }
    const what = `somebody else changes "${fqdn}" all the time`;
    throw dnsError({ code: 'DNS_PROVIDER_UNAVAILABLE', step: 'change the record', provider: name, what });
  };
  return {
    name,
    setTxt: (fqdn, value, signal) =>
      change(fqdn, signal, (values) => (values.includes(value) ? values : [...values, value])),
    removeTxt: (fqdn, value, signal) => change(fqdn, signal, (values) => values.filter((one) => one !== value)),
  };
}

async function placeOf(fqdn: string, zoneOf: ZoneOf, signal: AbortSignal): Promise<Place> {
  const zone = await zoneOf(fqdn, signal);
  return { zone, fqdn, below: labelsBelow(fqdn, zone.name), signal };
}
