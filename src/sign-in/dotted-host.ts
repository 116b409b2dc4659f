/**
 * `https://app.example.org./`: the same host for routing, rules and certificates, and another one for the
 * browser, which keeps cookies and origins of the two apart. Whoever began to sign in there would come back
 * to the name without the dot, where nothing of it is known; so the visitor is led there before anything begins.
 */
import { answerRedirect, type Context } from './context.ts';
import { classifyRequest } from './request-kind.ts';

/** Says that the visitor was led once: a proxy in front that writes the dot itself leads nobody in a circle. */
const LED = 'dot=0';

/** `path` with its query, on the host without the dot; null where there is no dot, or no use in leading. */
export function leadFromDot(context: Context, path: string): Response | null {
  const { headers, query, request, url } = context;
  if (!isDotted(headers.get('host') ?? '') || query.get('dot') === '0') return null;
  if (classifyRequest(request.method, headers) !== 'navigation') return null;
  return answerRedirect(302, `${url.origin}${path}${path.includes('?') ? '&' : '?'}${LED}`);
}

/** With its port, or without. */
function isDotted(authority: string): boolean {
  return /\.(?::\d*)?$/.test(authority);
}
