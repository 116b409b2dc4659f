/**
 * Asks the operator's program about a name: GET URL?domain=NAME. 2xx is yes, 4xx is no. Neither is what is no answer
 * about the name: none at all, a fault (5xx), "later" (429), or another place to ask (3xx), which is not followed.
 */
import type { Ask, AskAnswer } from './on-demand.ts';

const TIMEOUT_MS = 5_000;

export const askUrl: Ask = async (url, name): Promise<AskAnswer> => {
  const target = new URL(url);
  target.searchParams.set('domain', name);
  try {
    const response = await fetch(target, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    await response.body?.cancel();
    const { status } = response;
    if (status >= 500 || status === 429) return { kind: 'unavailable', why: `it answers ${status}` };
    if (status >= 300 && status < 400)
      return { kind: 'unavailable', why: `it answers ${status}, which is not followed` };
    return { kind: response.ok ? 'yes' : 'no' };
  } catch (error) {
    return { kind: 'unavailable', why: reasonOf(error as Error) };
  }
};

/** Without the words of `fetch` itself, which may hold the URL, and what is secret in it. */
function reasonOf({ name, cause }: Error): string {
  if (name === 'TimeoutError') return 'it does not answer in five seconds';
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  return cause instanceof Error && cause.message !== '' ? cause.message : 'it cannot be asked';
}
