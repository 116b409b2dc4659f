/**
 * E-mail addresses as rules compare them: ASCII only, exactly one "@", lower-case, a domain of plain
 * labels. What is written in any other way (quoted local parts, look-alike letters, a trailing dot,
 * "a@evil.example@corp.example") is no address here and is never repaired.
 */
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const NOT_ASCII = /[^\x21-\x7e]/;

export interface EmailAddress {
  /** The whole address in lower case. */
  readonly text: string;
  readonly domain: string;
}

/** Reads an address, or answers null where the text is not plainly one. */
export function parseEmailAddress(text: string): EmailAddress | null {
  // Before lower-casing: U+212A (Kelvin sign) would become an ASCII "k" by it.
  if (text.length > 254 || NOT_ASCII.test(text)) return null;
  const lower = text.toLowerCase();
  const at = lower.indexOf('@');
  if (at < 1 || at !== lower.lastIndexOf('@')) return null;
  const domain = parseEmailDomain(lower.slice(at + 1));
  if (domain === null || !LOCAL_PART.test(lower.slice(0, at))) return null;
  return { text: lower, domain };
}

/** The domain in lower case, or null. Internationalised domains are written as A-labels ("xn--..."). */
export function parseEmailDomain(text: string): string | null {
  if (text.length > 253 || NOT_ASCII.test(text)) return null;
  const domain = text.toLowerCase();
  return domain.split('.').every((label) => LABEL.test(label)) ? domain : null;
}
