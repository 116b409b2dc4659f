/** Asks until a change has arrived everywhere at the provider, with a bound. */
import { dnsError } from './dns-error.ts';
import type { ProviderTools } from './tools.ts';

export interface Polling {
  readonly provider: string;
  readonly step: string;
  /** True once it is done. */
  readonly ask: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

const EVERY_MS = 2000;
const LONGEST_MS = 180_000;

export async function pollUntilDone({ provider, step, ask, signal }: Polling, tools: ProviderTools): Promise<void> {
  for (let waited = 0; waited < LONGEST_MS; waited += EVERY_MS) {
    if (await ask()) return;
    await tools.sleep(EVERY_MS, signal);
  }
  const what = `the change is not done after ${LONGEST_MS / 60_000} minutes`;
  throw dnsError({ code: 'DNS_PROVIDER_UNAVAILABLE', step, provider, what });
}
