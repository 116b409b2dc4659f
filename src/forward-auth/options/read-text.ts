/** One option's value from text, as variables and strings of the TOML file hold it. */
import { parseGoBool, parseGoDuration, parseGoInt } from './go-values.ts';
import { quote } from './finding.ts';
import type { Option, OptionType, OptionValue } from './option.ts';

export type Read =
  | { readonly ok: true; readonly value: OptionValue }
  | { readonly ok: false; readonly wrong: string; readonly remedy: string };

/** `false`: an empty string, which only the file can give. */
export function readText(option: Option, text: string): Read {
  switch (option.type) {
    case 'string':
      return { ok: true, value: text };
    // Commas part, quotes are no quotes and spaces stay: mapstructure's way, not that of the flags.
    case 'list':
      return { ok: true, value: text === '' ? [] : text.split(',') };
    case 'bool':
      return text === '' ? { ok: true, value: false } : found(option, text, parseGoBool(text));
    case 'int':
      return text === '' ? { ok: true, value: 0 } : found(option, text, parseGoInt(text));
    case 'duration':
      return found(option, text, parseGoDuration(text));
    default:
      return option.type satisfies never;
  }
}

const WANTED: Readonly<Record<OptionType, { readonly wrong: string; readonly remedy: string }>> = {
  string: { wrong: 'text', remedy: 'put it in quotes' },
  list: { wrong: 'a list', remedy: 'write ["one", "two"]' },
  bool: { wrong: 'true or false', remedy: 'write true or false' },
  int: { wrong: 'a whole number', remedy: 'write a number such as 10' },
  duration: { wrong: 'a duration', remedy: 'write a number and its unit, such as 168h, 15m or 30s' },
};

export function found(option: Option, text: string, value: OptionValue | null): Read {
  if (value !== null) return { ok: true, value };
  const { wrong, remedy } = WANTED[option.type];
  return { ok: false, wrong: `is ${quote(text, option.isSecret)}, not ${wrong}`, remedy };
}
