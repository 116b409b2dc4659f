/** Asks the operator's program about a name: GET URL?domain=NAME. 2xx is yes, another answer no, none at all neither. */
import type { Ask, AskAnswer } from './on-demand.ts';

const TIMEOUT_MS = 5_000;

export const askUrl: Ask = async (url, name): Promise<AskAnswer> => {
  const target = new URL(url);
  target.searchParams.set('domain', name);
  try {
    const response = await fetch(target, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    await response.body?.cancel();
    if (response.status >= 500) return 'unavailable';
    return response.ok ? 'yes' : 'no';
  } catch {
    return 'unavailable';
  }
};
