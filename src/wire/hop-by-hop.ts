/**
 * Which fields belong to one connection only and never pass a proxy (RFC 9110 section 7.6.1). Names
 * are lower-case. What a `Connection` field names counts as hop-by-hop too: callers strip those
 * before they add fields of their own, so that a client cannot have ours removed.
 */
import { trimBlanks } from './field-list.ts';
import type { HeaderBlock } from './header-block.ts';

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

export function isHopByHop(key: string): boolean {
  return HOP_BY_HOP.has(key);
}

/** Lower-case names that `Connection` fields list beside "close" and "keep-alive"; null where there are none. */
export function namedByConnection(headers: HeaderBlock): ReadonlySet<string> | null {
  let named: Set<string> | null = null;
  const { keys, values } = headers;
  for (let i = 0; i < keys.length; i++) {
    if (keys[i] !== 'connection') continue;
    const value = values[i] as string;
    if (value === 'close' || value === 'keep-alive' || value === 'Upgrade') continue;
    for (const token of value.split(',')) {
      const name = trimBlanks(token).toLowerCase();
      if (name === '' || HOP_BY_HOP.has(name) || name === 'close') continue;
      named ??= new Set();
      named.add(name);
    }
  }
  return named;
}

/** Whether a comma-separated list holds a lower-case token, compared without case. */
export function hasToken(list: string, token: string): boolean {
  if (list === token) return true;
  if (list.length < token.length) return false;
  for (const one of list.split(',')) if (trimBlanks(one).toLowerCase() === token) return true;
  return false;
}
