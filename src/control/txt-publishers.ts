/**
 * The document's DNS providers at work: one publisher for each entry, kept over reloads while its settings stay.
 * What an earlier process left behind is taken away at the start, and tried again for as long as that fails.
 */
import { openTxtPublisher } from '../certs/dns/open-publisher.ts';
import type { TxtJournal, TxtPublisher } from '../certs/dns/dns-provider.ts';
import type { DnsProviderSettings } from '../certs/dns/provider-type.ts';
import type { Logger } from '../core/log.ts';

export interface TxtPublishers {
  readonly use: (settings: readonly DnsProviderSettings[]) => void;
  /** Null where the document has no such provider any more. */
  readonly get: (name: string) => TxtPublisher | null;
  /** Of the provider's settings, secrets too: not to be kept as it is. */
  readonly fingerprintOf: (name: string) => string;
  readonly close: () => void;
}

interface Held {
  readonly fingerprint: string;
  readonly publisher: TxtPublisher;
}

const AGAIN_MS = 10 * 60_000;

export function createTxtPublishers(deps: { readonly journal: TxtJournal; readonly log: Logger }): TxtPublishers {
  const { journal, log } = deps;
  const held = new Map<string, Held>();
  const ended = new AbortController();
  const cleaned = new Set<string>();

  const clean = async (name: string): Promise<void> => {
    const publisher = held.get(name)?.publisher;
    if (publisher === undefined || ended.signal.aborted) return;
    try {
      const left = await publisher.withdrawLeftovers(ended.signal);
      if (left.length === 0) return;
      log.warn(
        { provider: name, records: left.map((one) => one.fqdn), err: left[0]?.error },
        'TXT records of an earlier run could not be removed yet',
      );
    } catch (error) {
      if (ended.signal.aborted) return;
      log.warn({ provider: name, err: error }, 'TXT records of an earlier run could not be removed yet');
    }
    setTimeout(() => void clean(name), AGAIN_MS).unref();
  };

  return {
    use(settings) {
      const names = new Set(settings.map((one) => one.name));
      for (const name of held.keys()) if (!names.has(name)) held.delete(name);
      for (const one of settings) {
        const fingerprint = JSON.stringify({ ...one, at: [] });
        if (held.get(one.name)?.fingerprint === fingerprint) continue;
        held.set(one.name, { fingerprint, publisher: openTxtPublisher(one, { journal }) });
        if (cleaned.has(one.name)) continue;
        cleaned.add(one.name);
        void clean(one.name);
      }
    },
    get: (name) => held.get(name)?.publisher ?? null,
    fingerprintOf: (name) => held.get(name)?.fingerprint ?? '',
    close: () => ended.abort(new Error('Postern ends')),
  };
}
