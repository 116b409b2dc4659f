/** A journal that lives as long as its process: for tests of what uses one. */
import type { TxtJournal, TxtRecord } from '../../src/certs/dns/dns-provider.ts';

export function memoryJournal(): TxtJournal {
  const records = new Map<string, TxtRecord>();
  const keyOf = ({ provider, fqdn, value }: TxtRecord): string => JSON.stringify([provider, fqdn, value]);
  return {
    add: async (record) => void records.set(keyOf(record), record),
    remove: async (record) => void records.delete(keyOf(record)),
    list: async () => [...records.values()],
  };
}
