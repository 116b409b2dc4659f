/** Joins what an entry of the document's `dns:` needs to work: its provider, the resolvers, the wire. */
import { createDnsProvider } from './catalog.ts';
import type { TxtJournal, TxtPublisher } from './dns-provider.ts';
import type { DnsProviderSettings } from './provider-type.ts';
import { createTxtPublisher } from './publisher.ts';
import { createResolver } from './resolver.ts';
import { type ProviderTools, systemTools } from './tools.ts';
import { createAskServer } from './transport.ts';

export interface OpenOptions {
  readonly journal: TxtJournal;
  readonly tools?: ProviderTools;
  /** Where authoritative servers listen; another port in tests. */
  readonly authorityPort?: number;
}

/** One question to one server, both tries together. */
const ASK_MS = 3000;

export function openTxtPublisher(settings: DnsProviderSettings, options: OpenOptions): TxtPublisher {
  const { journal, tools = systemTools, authorityPort } = options;
  const ask = createAskServer({ timeoutMs: ASK_MS });
  const port = authorityPort === undefined ? {} : { authorityPort };
  const resolver = createResolver({ ask, resolvers: settings.resolvers, ...port });
  const provider = createDnsProvider(settings, tools);
  return createTxtPublisher({
    provider,
    settings,
    resolver,
    journal,
    tools: { ask, sleep: tools.sleep, clock: tools.clock },
  });
}
