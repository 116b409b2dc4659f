/** Addresses to listen on: ":443", "127.0.0.1:8443", "[::1]:443", "localhost:8443". Port 0 takes any free one. */
import { isIP } from 'node:net';
import { parseDnsName } from './host-name.ts';
import { fault, read, type Reading } from './reading.ts';

export interface HostAndPort {
  /** null: all addresses. */
  readonly host: string | null;
  readonly port: number;
}

const EXPECTED = 'is not an address to listen on';

export function parseListenAddress(text: string): Reading<HostAndPort> {
  if (/^\d+$/.test(text)) {
    const isPort = Number(text) <= 65_535;
    return isPort
      ? fault(`${EXPECTED}: it is a port alone`, `write ":${text}"`)
      : fault(`${EXPECTED}: ${text} is no port`, 'write ":443", "127.0.0.1:8443" or "[::1]:443"');
  }
  if (/^https?:\/\//.test(text)) return fault(`${EXPECTED}: it is a URL`, 'write ":443" or "127.0.0.1:8443"');
  const colon = text.lastIndexOf(':');
  const portText = text.slice(colon + 1);
  if (colon === -1 || !/^\d{1,5}$/.test(portText)) {
    return fault(`${EXPECTED}: it has no port`, 'write ":443", "127.0.0.1:8443" or "[::1]:443"');
  }
  const port = Number(portText);
  if (port > 65_535) return fault(`${EXPECTED}: port ${portText} is above 65535`, 'write a port from 1 to 65535');
  const host = text.slice(0, colon);
  if (host === '' || host === '*') return read({ host: null, port });
  if (isIP(host) === 6) return fault(`${EXPECTED}: an IPv6 address needs brackets`, `write "[${host}]:${portText}"`);
  const name = parseDnsName(host);
  if (!name.ok) return fault(`${EXPECTED}: "${host}" is no IP address or name`, 'write ":443" or "127.0.0.1:8443"');
  return read({ host: name.value.startsWith('[') ? name.value.slice(1, -1) : name.value, port });
}
