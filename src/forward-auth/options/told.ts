/** What was said, asked for by key: whoever builds settings reads options and reports faults through this. */
import { quote } from './finding.ts';
import { optionOf } from './option-table.ts';
import type { Findings } from './finding.ts';
import type { GivenOptions } from './given.ts';
import type { OptionValue } from './option.ts';

export interface Told {
  readonly findings: Findings;
  readonly isGiven: (key: string) => boolean;
  /** Where it was said, or what stands for the default. */
  readonly sourceOf: (key: string) => string;
  readonly string: (key: string) => string;
  /** Null where it is empty. */
  readonly text: (key: string) => string | null;
  readonly bool: (key: string) => boolean;
  readonly number: (key: string) => number;
  readonly list: (key: string) => readonly string[];
  readonly fault: (key: string, message: string, remedy: string | null) => void;
  readonly warn: (key: string, message: string, remedy: string | null) => void;
  /** In quotes, for messages; masked where the option is a secret. */
  readonly quoted: (key: string, value?: string) => string;
}

export function createTold(given: GivenOptions, findings: Findings): Told {
  const valueOf = (key: string): OptionValue => given.get(key)?.value ?? optionOf(key).default;
  const sourceOf = (key: string): string => given.get(key)?.source ?? 'not given';
  const text = (key: string): string => String(valueOf(key));
  const report = (severity: 'error' | 'warning') => (key: string, message: string, remedy: string | null) =>
    findings.add({ severity, option: given.get(key)?.name ?? key, source: sourceOf(key), message, remedy });
  return {
    findings,
    isGiven: (key) => given.has(key),
    sourceOf,
    string: text,
    text: (key) => text(key) || null,
    bool: (key) => valueOf(key) === true,
    number: (key) => Number(valueOf(key)),
    list: (key) => {
      const value = valueOf(key);
      return Array.isArray(value) ? (value as readonly string[]) : [];
    },
    fault: report('error'),
    warn: report('warning'),
    quoted: (key, value) => quote(value ?? text(key), optionOf(key).isSecret),
  };
}
