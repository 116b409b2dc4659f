/** Reads `listen:` and `trusted_proxies:`. */
import { normaliseIp, parseCidr } from '../../core/ip-address.ts';
import type { Listen, ListenAddress } from '../document.ts';
import type { Path } from '../document/path.ts';
import { parseListenAddress } from '../listen-address.ts';
import { CLOUDFLARE_RANGES } from '../presets/cloudflare.ts';
import { PRIVATE_RANGES } from '../presets/private.ts';
import type { ListenerInput, ListenersInput, ListenInput } from '../schema/listen.ts';
import { type Context, entriesOf } from './context.ts';

const PRESETS: ReadonlyMap<string, readonly string[]> = new Map([
  ['cloudflare', CLOUDFLARE_RANGES],
  ['private', PRIVATE_RANGES],
]);

/** A `listen:` section lists all listeners; a document without one gets the usual three. */
export function readListen(input: ListenInput | undefined, context: Context): Listen {
  const given = input ?? { http: ':80', https: ':443', health: '127.0.0.1:7070' };
  const http = readListeners(given.http, ['listen', 'http'], context);
  const https = readListeners(given.https, ['listen', 'https'], context);
  const health = readListeners(given.health, ['listen', 'health'], context);
  for (const address of https) {
    if (!address.tls) context.report(address.at, 'has "tls: off" under "https"', 'move it to "listen.http"');
  }
  if (health.length > 1) context.report(['listen', 'health'], 'has several addresses, expected one');
  // One that is given but wrong is reported where it stands, and enough.
  const isGiven = [given.http, given.https].some((one) => !isOff(one));
  if (!isGiven && !['http', 'https'].some((key) => context.isBroken(['listen', key]))) {
    context.report(['listen'], 'has neither "http" nor "https"', 'add "https" with an address such as ":443"');
  }
  refuseTwice([http, https, health], context);
  const first = health[0];
  return {
    http,
    https,
    health: first === undefined ? null : { ...first, tls: false },
    publicHttpsPort: given.public_https_port ?? https[0]?.port ?? 443,
    proxyProtocol: readRanges(given.proxy_protocol, ['listen', 'proxy_protocol'], context),
  };
}

function isOff(input: ListenersInput | undefined): input is undefined | 'off' | false {
  return input === undefined || input === 'off' || input === false || (Array.isArray(input) && input.length === 0);
}

function readListeners(input: ListenersInput | undefined, path: Path, context: Context): readonly ListenAddress[] {
  if (isOff(input)) return [];
  const found: ListenAddress[] = [];
  for (const [one, at] of entriesOf<string | number | ListenerInput>(input, path)) {
    const listener = readListener(one, at, context);
    if (listener !== null) found.push(listener);
  }
  return found;
}

function readListener(input: string | number | ListenerInput, at: Path, context: Context): ListenAddress | null {
  const isObject = typeof input === 'object';
  const text = isObject ? input.address : input;
  if (text === undefined) {
    if (!context.isBroken([...at, 'address']))
      context.report(at, 'has no "address"', 'add an address such as "address: \':8080\'"');
    return null;
  }
  const reading = parseListenAddress(String(text));
  if (!reading.ok) {
    context.fault(isObject ? [...at, 'address'] : at, reading);
    return null;
  }
  const isPlain = isObject && (input.tls === 'off' || input.tls === false);
  return { ...reading.value, tls: !isPlain, at };
}

/**
 * Every worker opens its own socket for an address, so the kernel refuses none of ours: where two take the same
 * connections it deals them out, and a visitor meets TLS or plain HTTP as chance has it.
 */
function refuseTwice(lists: readonly (readonly ListenAddress[])[], context: Context): void {
  const taken = new Map<string, { readonly list: number; readonly text: string }>();
  for (const [list, addresses] of lists.entries()) {
    for (const { host, port, at } of addresses) {
      if (port === 0) continue;
      const text = `${host ?? ''}:${port}`;
      const rivals = placesOf(host).map((place) => taken.get(`${place} ${port}`) ?? null);
      // "0.0.0.0" beside "[::]" for one purpose is a habit that does no harm.
      if (rivals.some((one) => one !== null && (one.list !== list || one.text === text)))
        context.report(at, 'is listened on twice', 'give one of them another port');
      for (const place of placesOf(host)) taken.set(`${place} ${port}`, { list, text });
    }
  }
}

/** Whose connections an address takes, where another may take the very same. */
function placesOf(host: string | null): readonly string[] {
  const address = host === null ? null : normaliseIp(host);
  if (host === null || address === '::' || address === '0.0.0.0') return ['*'];
  return host === 'localhost' ? ['127.0.0.1', '::1'] : [address ?? host];
}

export function readTrustedProxies(input: string | readonly string[] | undefined, context: Context): readonly string[] {
  return readRanges(input, ['trusted_proxies'], context, PRESETS);
}

function readRanges(
  input: string | readonly string[] | undefined,
  path: Path,
  context: Context,
  presets: ReadonlyMap<string, readonly string[]> = new Map(),
): readonly string[] {
  const found: string[] = [];
  for (const [text, at] of entriesOf<string>(input, path)) {
    const preset = presets.get(text);
    if (preset !== undefined) {
      found.push(...preset);
      continue;
    }
    const cidr = parseCidr(text);
    if (cidr !== null) found.push(`${cidr.address}/${cidr.bits}`);
    else {
      const names = [...presets.keys()].map((name) => `, "${name}"`).join('');
      context.report(at, 'is not an IP address range', `write a range such as "10.0.0.0/8"${names}`);
    }
  }
  return found;
}
