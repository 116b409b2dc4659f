/**
 * The `rd` parameter. The documented nginx and Caddy forms write `rd=$scheme://$host$request_uri` without
 * escaping, so what follows the first "&" of the deep link arrives as parameters of ours, and decoding would
 * turn its %26 and %2F into something else. Such a value is recognised by the slash after its host, taken as it
 * stands, and gets the parameters back that are nobody's. Escaped values (Traefik, ingress-nginx, forms) are decoded.
 */

/** A literal slash after the host, or first of all: nothing escaped this value. */
const VERBATIM = /^(?:https?:\/\/[^/?#&%]+)?\//;
const HAS_HOST = /^https?:/;

/**
 * The address as bytes in Latin-1. Null: there is none. Undefined: its escapes are broken.
 * `isOurs` names the parameters that the endpoint reads itself.
 */
export function readReturnAddress(query: string, isOurs: (name: string) => boolean): string | null | undefined {
  const pairs = query.replace(/^\?/, '').split('&');
  const at = pairs.findIndex((pair) => nameOf(pair) === 'rd');
  const pair = pairs[at];
  if (pair === undefined) return null;
  const raw = pair.slice(pair.indexOf('=') + 1);
  if (!pair.includes('=') || raw === '') return '';
  if (!isVerbatim(raw)) return decodeBytes(raw) ?? undefined;
  return takeBack(raw, pairs.slice(at + 1), isOurs);
}

/** `raw`: the value of `rd` as it stands in the query. */
export function isVerbatim(raw: string): boolean {
  if (!VERBATIM.test(raw)) return false;
  // Some escape all but slashes: then the query's own mark is escaped as well.
  return raw.includes('?') || !/%3f/i.test(raw);
}

function takeBack(raw: string, rest: readonly string[], isOurs: (name: string) => boolean): string {
  // "rd=/app&theme=dark" is an address and something else; with a host it is nginx's form of "/R&D".
  if (!raw.includes('?') && !HAS_HOST.test(raw)) return raw;
  const lost = rest.filter((pair) => !isOurs(nameOf(pair) ?? pair));
  return [raw, ...lost].join('&');
}

export function nameOf(pair: string): string | null {
  const equals = pair.indexOf('=');
  return decodeBytes(equals === -1 ? pair : pair.slice(0, equals));
}

/** `application/x-www-form-urlencoded`, each byte as one Latin-1 character; null where an escape is broken. */
export function decodeBytes(text: string): string | null {
  if (/%(?![0-9a-f]{2})/i.test(text)) return null;
  return text
    .replaceAll('+', ' ')
    .replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
