/** Where a name in the host of an app's address could make the whole of it mean another machine. */
import { isIPv4 } from 'node:net';

export const NEVER = (): boolean => false;
/** As wire/authority.ts reads it. */
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/;

/** Resolvers take "2130706433" and "0x7f000001" for 127.0.0.1, and "localhost" is this machine: no name may lead there. */
export function elsewhereTest(pattern: string): (host: string) => boolean {
  const isNamed = lastLabel(pattern.replaceAll('{user.name}', '*').replaceAll(/\{[^{}]*\}/g, 'x')).includes('*');
  return isNamed ? (host) => lastLabel(host) === 'localhost' || (NUMBER.test(lastLabel(host)) && !isIPv4(host)) : NEVER;
}

function lastLabel(host: string): string {
  return host.slice(host.lastIndexOf('.') + 1);
}
