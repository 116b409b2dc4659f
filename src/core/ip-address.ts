/**
 * IP addresses and CIDR sets. One spelling for one address: `::ffff:192.0.2.1` is 192.0.2.1, IPv6 is
 * compressed and lower-case, zone ids and ports are refused. An unknown address (null) is in no set.
 */
import { BlockList, isIP, SocketAddress } from 'node:net';

const MAPPED = /^::ffff:(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$/i;
const MAPPED_HEX = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

export interface Cidr {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

export interface IpSet {
  readonly isEmpty: boolean;
  readonly contains: (ip: string | null) => boolean;
}

/** The one spelling of an address, or null where the text is none. */
export function normaliseIp(text: string): string | null {
  const family = isIP(text);
  if (family === 4) return text;
  if (family !== 6 || text.includes('%')) return null;
  const mapped = MAPPED.exec(text);
  if (mapped) return mapped[1] ?? null;
  const address = new SocketAddress({ address: text, family: 'ipv6' }).address.toLowerCase();
  const hex = MAPPED_HEX.exec(address);
  if (hex) return dotted(Number.parseInt(hex[1] ?? '', 16), Number.parseInt(hex[2] ?? '', 16));
  return MAPPED.exec(address)?.[1] ?? address;
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** "10.0.0.0/8", "2001:db8::/32" or a bare address; null where the text is neither. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  const address = normaliseIp(slash === -1 ? text : text.slice(0, slash));
  if (address === null) return null;
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  const most = family === 'ipv4' ? 32 : 128;
  if (slash === -1) return { address, bits: most, family };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits)) return null;
  const wasMapped = text.slice(0, slash).includes(':') && family === 'ipv4';
  const bits = wasMapped ? Number(digits) - 96 : Number(digits);
  return bits < 0 || bits > most ? null : { address, bits, family };
}

/** A set to ask whether an address is in it. Texts that are no CIDR throw: check them first with parseCidr. */
export function createIpSet(cidrs: readonly string[]): IpSet {
  const list = new BlockList();
  for (const text of cidrs) {
    const cidr = parseCidr(text);
    if (cidr === null) throw new RangeError(`Cannot read address range: "${text}" is not an IP address or CIDR`);
    list.addSubnet(cidr.address, cidr.bits, cidr.family);
  }
  const isEmpty = cidrs.length === 0;
  return {
    isEmpty,
    contains(ip) {
      if (isEmpty || ip === null) return false;
      const family = isIP(ip);
      return family !== 0 && list.check(ip, family === 4 ? 'ipv4' : 'ipv6');
    },
  };
}
