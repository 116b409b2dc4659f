/**
 * Host names as routing sees them: lower-case A-labels without port and trailing dot, IPv6 in
 * brackets. A wildcard is the whole first label. What only looks like a name (a URL, a number) is refused.
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { normaliseIp } from '../core/ip-address.ts';
import { fault, type Fault, read, type Reading } from './reading.ts';

const PLAIN = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;
/** WHATWG reads such names as IPv4 numbers ("0x7f.1"), so that two programs could disagree. */
const NUMERIC_END = /(?:^|\.)(?:0x[0-9a-f]*|\d+)$/;

/** A key of `hosts:`. */
export function parseHostName(text: string): Reading<string> {
  const misfit = wholeUrlFault(text);
  if (misfit !== null) return misfit;
  const isWildcard = text.startsWith('*.');
  const rest = isWildcard ? text.slice(2) : text;
  if (text === '*') return fault('is no host name', 'write what is meant for every other host under "default:"');
  if (rest.includes('*')) {
    return fault('has "*" in the middle, expected it as the whole first label', 'write "*.example.com"');
  }
  const name = parseDnsName(rest);
  if (!name.ok) return name;
  if (!isWildcard) return name;
  if (isAddress(name.value) || !name.value.includes('.')) {
    return name.value === 'localhost'
      ? read('*.localhost')
      : fault('is too wide for a wildcard', 'write "*.example.com"');
  }
  return read(`*.${name.value}`);
}

function isAddress(name: string): boolean {
  return name.startsWith('[') || isIP(name) !== 0;
}

/** A name or address without wildcard: of an app, of the sign-in host. */
export function parseDnsName(text: string): Reading<string> {
  if (PLAIN.test(text) && text.length <= 253 && !NUMERIC_END.test(text) && !text.includes('xn--')) return read(text);
  const ip = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const address = normaliseIp(ip);
  if (address !== null) return read(address.includes(':') ? `[${address}]` : address);
  const ascii = domainToASCII(text.endsWith('.') ? text.slice(0, -1) : text);
  if (ascii === '' || ascii.length > 253 || !PLAIN.test(ascii) || NUMERIC_END.test(ascii) || /[:/?#@%\s]/.test(text)) {
    return fault('is not a host name', 'write a name such as "app.example.com"');
  }
  return read(ascii);
}

function wholeUrlFault(text: string): Fault | null {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  if (scheme !== undefined) {
    return fault(
      'has a scheme, expected a host name alone',
      `write "${text.slice(scheme.length).split(/[/?#:]/)[0] ?? ''}"`,
    );
  }
  if (text.includes('/')) {
    const host = text.slice(0, text.indexOf('/'));
    return fault('has a path, expected a host name alone', `write "${host}" and put the path under its "paths:"`);
  }
  const port = /^([^:]*):\d+$/.exec(text);
  if (port !== null) {
    return fault('has a port, expected a host name alone', `write "${port[1] ?? ''}"; ports are set under "listen:"`);
  }
  if (text.includes('${')) {
    return fault('is not a host name: keys are not substituted', 'write the name itself');
  }
  return null;
}
