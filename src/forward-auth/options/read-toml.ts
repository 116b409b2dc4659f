/** Reads the TOML file. Keys are those of the table, in any case; a key that is not known is refused. */
import { parse, TomlError } from 'smol-toml';
import { suggest } from '../../config/did-you-mean.ts';
import { quote } from './finding.ts';
import { OPTIONS, optionByFlag, optionByKey } from './option-table.ts';
import { warnOfText } from './read-env.ts';
import { found, readText } from './read-text.ts';
import type { Findings } from './finding.ts';
import type { Given, GivenOptions } from './given.ts';
import type { Option } from './option.ts';
import type { Read } from './read-text.ts';

export interface TextFile {
  readonly name: string;
  readonly text: string;
}

export function readToml(file: TextFile, findings: Findings): GivenOptions {
  const options = new Map<string, Given>();
  const table = parseFile(file, findings);
  for (const [name, value] of Object.entries(table)) {
    const source = placeOf(file, name);
    const option = optionByKey(name.toLowerCase());
    if (option === null) {
      unknownKey(name, source, findings);
      continue;
    }
    const read = readTomlValue(option, value);
    if (!read.ok) {
      findings.add({ severity: 'error', option: option.key, source, message: read.wrong, remedy: read.remedy });
    } else if (options.has(option.key)) {
      const remedy = 'keep one of them';
      findings.add({ severity: 'error', option: option.key, source, message: 'is given twice', remedy });
    } else {
      options.set(option.key, { value: read.value, source });
      if (typeof value === 'string') warnOfText({ option, source, text: value }, findings);
    }
  }
  return options;
}

function parseFile(file: TextFile, findings: Findings): Readonly<Record<string, unknown>> {
  try {
    return parse(file.text.replace(/^\uFEFF/, ''), { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The rest of its message quotes the line, which may hold a secret.
    const reason = error.message.split('\n')[0] ?? '';
    findings.add({
      severity: 'error',
      option: 'the file',
      source: `${file.name}:${error.line}`,
      message: `cannot be read: ${reason.replace(/^Invalid TOML document: /, '')}`,
      remedy: 'write KEY = "VALUE", one a line, lists as ["one", "two"]',
    });
    return {};
  }
}

/** The line that the key stands on; quoted keys and tables are found by their name alone. */
function placeOf(file: TextFile, key: string): string {
  const name = key.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const line = file.text.split('\n').findIndex((one) => new RegExp(`^\\s*\\[*\\s*["']?${name}\\b`).test(one));
  return line === -1 ? file.name : `${file.name}:${line + 1}`;
}

/** Weak, as the original is: numbers for text, text for numbers, one for a list of one. */
function readTomlValue(option: Option, value: unknown): Read {
  if (typeof value === 'string') return readText(option, value);
  if (typeof value === 'bigint') return readInteger(option, value);
  if (typeof value === 'boolean' && option.type === 'bool') return { ok: true, value };
  if (option.type === 'list' && Array.isArray(value)) return readArray(option, value);
  if (option.type === 'string' && typeof value === 'number') return { ok: true, value: String(value) };
  return found(option, describe(value), null);
}

/** The original counts a bare duration in nanoseconds: one that is shorter than a second cannot be meant. */
function readInteger(option: Option, value: bigint): Read {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) return found(option, String(value), null);
  if (option.type === 'string') return { ok: true, value: String(value) };
  if (option.type === 'int') return { ok: true, value: number };
  if (option.type === 'bool' && (number === 0 || number === 1)) return { ok: true, value: number === 1 };
  if (option.type === 'list') return { ok: true, value: [String(value)] };
  if (option.type === 'duration' && (number === 0 || number >= 1e9)) return { ok: true, value: number / 1e6 };
  if (option.type !== 'duration') return found(option, String(value), null);
  const wrong = `is ${value}, which oauth2-proxy counts in nanoseconds`;
  return { ok: false, wrong, remedy: `write its unit, such as "${value}s"` };
}

function readArray(option: Option, value: readonly unknown[]): Read {
  const items: string[] = [];
  for (const item of value) {
    if (typeof item === 'string') items.push(item);
    else if (typeof item === 'bigint' || typeof item === 'number') items.push(String(item));
    else return { ok: false, wrong: `holds ${describe(item)}, not text`, remedy: 'write ["one", "two"]' };
  }
  return { ok: true, value: items };
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a date';
  return typeof value === 'boolean' || typeof value === 'number' ? String(value) : 'a table';
}

function unknownKey(name: string, source: string, findings: Findings): void {
  const slip = optionByFlag(name.toLowerCase().replaceAll('_', '-'));
  const near =
    slip?.key ??
    suggest(
      name,
      OPTIONS.map(({ key }) => key),
    );
  findings.add({
    severity: 'error',
    option: quote(name),
    source,
    message: 'is no key that is known',
    remedy: near === null ? 'take it out' : `did you mean ${near}?`,
  });
}
