/**
 * Addresses as limits count them: one IPv4 address, or one IPv6 /64, which is what one subscriber has.
 * All unknown addresses share a bucket.
 */
import { isIPv6 } from 'node:net';

export function addressBucket(ip: string | null): string {
  if (ip === null) return 'unknown';
  if (!isIPv6(ip)) return ip.slice(0, 64);
  return `${expand(ip).slice(0, 4).join(':')}::/64`;
}

/** What one subscriber may have of IPv6 at most (RFC 6177), which is many buckets; null where there is nothing of the kind. */
export function addressNetwork(ip: string | null): string | null {
  return ip === null || !isIPv6(ip) ? null : `${expand(ip).slice(0, 3).join(':')}::/48`;
}

/** The eight groups, without leading zeros. */
function expand(ip: string): string[] {
  const [head = '', tail] = ip.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(zeros).fill('0'), ...right].map((group) => group.replace(/^0+(?=.)/, ''));
}
