/**
 * Reads booleans, whole numbers, durations and lists as the original's libraries do (Go's strconv and time,
 * encoding/csv as its flags use it), so that a setting means here what it means there. Null: it is none.
 */
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export function parseGoBool(text: string): boolean | null {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : null;
}

const INTEGER = /^[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/;

/** strconv.ParseInt with base 0: "0x10", "0b1", "0o17" and "017" too. */
export function parseGoInt(text: string): number | null {
  if (!INTEGER.test(text)) return null;
  const digits = text.replace(/^[+-]/, '').replaceAll('_', '');
  const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (!Number.isSafeInteger(value)) return null;
  return text.startsWith('-') ? 0 - value : value;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
/** Go counts nanoseconds in 63 bits: about 292 years. */
const LONGEST_MS = 9_223_372_036_854;

/** Milliseconds. */
export function parseGoDuration(text: string): number | null {
  if (/^[+-]?0$/.test(text)) return 0;
  if (!DURATION.test(text)) return null;
  let total = 0;
  for (const [, number = '', unit = ''] of text.matchAll(DURATION_PART)) total += Number(number) * (UNIT_MS[unit] ?? 0);
  if (total > LONGEST_MS) return null;
  return text.startsWith('-') ? 0 - total : total;
}

/** As Go prints it: "168h0m0s". */
export function formatGoDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (Math.abs(ms) < 1000) return `${ms}ms`;
  const sign = ms < 0 ? '-' : '';
  const seconds = Math.abs(ms) / 1000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(3))}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${sign}${minutes}m${rest}` : `${sign}${rest}`;
}

export type CsvRecord =
  | { readonly ok: true; readonly fields: readonly string[]; /** After the first line. */ readonly rest: string }
  | { readonly ok: false; readonly wrong: string };

/**
 * The first record of the text, as encoding/csv reads it: a field that begins with a quote ends with one,
 * "" within it is a quote, and a quote elsewhere is a fault. Empty lines before it are skipped.
 */
export function readCsvRecord(text: string): CsvRecord {
  let at = 0;
  while (text[at] === '\n' || text.startsWith('\r\n', at)) at += text[at] === '\n' ? 1 : 2;
  if (at >= text.length) return { ok: false, wrong: 'holds only empty lines' };
  const fields: string[] = [];
  for (;;) {
    const field = text[at] === '"' ? readQuoted(text, at + 1) : readBare(text, at);
    if (typeof field === 'string') return { ok: false, wrong: field };
    fields.push(field.value);
    at = field.end;
    if (text[at] !== ',') break;
    at++;
  }
  return { ok: true, fields, rest: text.slice(at).replace(/^\r?\n/, '') };
}

interface Field {
  readonly value: string;
  /** At the comma, the newline or the end of the text. */
  readonly end: number;
}

function readBare(text: string, from: number): Field | string {
  let end = from;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n') end++;
  const value = text.slice(from, end);
  if (value.includes('"')) return 'has a quote in the middle of an item';
  return { value: text[end] === ',' ? value : value.replace(/\r$/, ''), end };
}

function readQuoted(text: string, from: number): Field | string {
  let value = '';
  for (let at = from; at < text.length; at++) {
    if (text[at] !== '"') value += text[at];
    else if (text[at + 1] === '"') {
      value += '"';
      at++;
    } else {
      const end =
        text.startsWith('\r\n', at + 1) || (text[at + 1] === '\r' && at + 2 === text.length) ? at + 2 : at + 1;
      const isEnd = end >= text.length || text[end] === ',' || text[end] === '\n';
      return isEnd ? { value: value.replaceAll('\r\n', '\n'), end } : 'goes on after a closing quote';
    }
  }
  return 'has a quote that is never closed';
}
