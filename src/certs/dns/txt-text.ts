/**
 * TXT data as zone files write it (RFC 1035 section 5.1): strings in quotes, `\"`, `\\` and `\DDD` within.
 * Most APIs take and give that form; each string holds at most 255 bytes.
 */
const LONGEST_STRING = 255;

/** `"abc"`; longer values become several strings. For printable ASCII, as ACME's values are. */
export function quoteTxt(value: string): string {
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < value.length; at += LONGEST_STRING)
    strings.push(value.slice(at, at + LONGEST_STRING));
  return strings.map((one) => `"${one.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(' ');
}

/** The value of `"abc" "def"`: `abcdef`. A text without quotes is its own value, as some APIs give it. */
export function unquoteTxt(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.startsWith('"')) return trimmed;
  let value = '';
  for (const [, inner = ''] of trimmed.matchAll(/"((?:[^"\\]|\\.)*)"/g)) value += unescape(inner);
  return value;
}

function unescape(inner: string): string {
  return inner.replaceAll(/\\(\d{3}|.)/g, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
  );
}
