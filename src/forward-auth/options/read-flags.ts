/**
 * Reads flags as the original's library does (pflag): `--flag=value`, `--flag value`, booleans without a
 * word of their own, lists repeated or with commas, CSV quotes in lists. Goes on after a fault.
 */
import { suggest } from '../../config/did-you-mean.ts';
import { quote } from './finding.ts';
import { parseGoBool, parseGoDuration, parseGoInt, readCsvRecord } from './go-values.ts';
import { OPTIONS, optionByFlag } from './option-table.ts';
import { QUOTED } from './read-env.ts';
import { found } from './read-text.ts';
import type { Findings } from './finding.ts';
import type { Given, GivenOptions } from './given.ts';
import type { Option, OptionValue } from './option.ts';
import type { Read } from './read-text.ts';

/** Flags beside the table: of the original's command line, and our own. */
export interface OwnFlags {
  readonly config: string | null;
  readonly alphaConfig: string | null;
  readonly envFile: string | null;
  readonly data: string | null;
  readonly sessionMode: string | null;
  readonly deniedStatus: string | null;
  readonly configTest: boolean;
  readonly printConfig: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

interface OwnFlag {
  readonly field: keyof OwnFlags;
  readonly isBool: boolean;
}

const OWN: ReadonlyMap<string, OwnFlag> = new Map<string, OwnFlag>([
  ['config', { field: 'config', isBool: false }],
  ['alpha-config', { field: 'alphaConfig', isBool: false }],
  ['env-file', { field: 'envFile', isBool: false }],
  ['data', { field: 'data', isBool: false }],
  ['session-mode', { field: 'sessionMode', isBool: false }],
  ['denied-status', { field: 'deniedStatus', isBool: false }],
  ['config-test', { field: 'configTest', isBool: true }],
  ['print-config', { field: 'printConfig', isBool: true }],
  ['help', { field: 'help', isBool: true }],
  ['version', { field: 'version', isBool: true }],
]);
const NOTHING: OwnFlags = {
  config: null,
  alphaConfig: null,
  envFile: null,
  data: null,
  sessionMode: null,
  deniedStatus: null,
  configTest: false,
  printConfig: false,
  help: false,
  version: false,
};

export interface Flags {
  readonly own: OwnFlags;
  readonly options: GivenOptions;
}

interface Word {
  readonly name: string;
  /** Null: no "=". */
  readonly value: string | null;
}

export function readFlags(args: readonly string[], findings: Findings): Flags {
  const options = new Map<string, Given>();
  let own = NOTHING;
  /** The boolean flag before, for `--cookie-secure false`. */
  let lastBool: string | null = null;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (arg === '--') break;
    if (!arg.startsWith('-') || arg === '-') {
      strayWord(arg, lastBool, findings);
      lastBool = null;
      continue;
    }
    lastBool = null;
    const word = splitWord(arg, findings);
    const option = optionByFlag(word.name);
    const ours = OWN.get(word.name);
    if (option === null && ours === undefined) {
      unknownFlag(word.name, findings);
      if (word.value === null && args[at + 1]?.startsWith('-') === false) at++;
      continue;
    }
    const needsValue = option === null ? ours?.isBool === false : option.flagNeedsValue;
    const value = word.value ?? (needsValue ? (args[++at] ?? null) : 'true');
    if (word.value === null && !needsValue) lastBool = word.name;
    if (value === null) valueMissing(word.name, findings);
    else if (option !== null) setOption({ option, flag: word.name, value, options, findings });
    else if (ours !== undefined) own = setOwn({ own, flag: word.name, ours, value, findings });
  }
  return { own, options };
}

function splitWord(arg: string, findings: Findings): Word {
  const dashes = arg.startsWith('--') ? 2 : 1;
  const equals = arg.indexOf('=');
  const name = arg.slice(dashes, equals === -1 ? undefined : equals);
  const value = equals === -1 ? null : arg.slice(equals + 1);
  if (dashes === 1 && name === 'h') return { name: 'help', value };
  if (dashes === 1 && (optionByFlag(name) !== null || OWN.has(name))) {
    const remedy = `write --${name}: oauth2-proxy takes one dash no longer`;
    findings.add({
      severity: 'warning',
      option: name,
      source: arg.slice(0, name.length + 1),
      message: 'has one dash',
      remedy,
    });
  }
  return { name, value };
}

function setOption(step: {
  readonly option: Option;
  readonly flag: string;
  readonly value: string;
  readonly options: Map<string, Given>;
  readonly findings: Findings;
}): void {
  const { option, flag, value, options, findings } = step;
  const source = `--${flag}`;
  const read = readFlagValue(option, value);
  if (!read.ok) {
    findings.add({ severity: 'error', option: option.key, source, message: read.wrong, remedy: read.remedy });
    return;
  }
  const before = options.get(option.key)?.value;
  const isMore = Array.isArray(read.value) && Array.isArray(before);
  const now = isMore ? [...(before as readonly string[]), ...(read.value as readonly string[])] : read.value;
  options.set(option.key, { value: isNothing(now) ? [] : now, source });
  if (isNothing(now) && option.isRestriction) {
    const remedy = 'name somebody, or take the flag out: a variable within it may be empty';
    const message = 'is given and empty, and would restrict nobody';
    findings.add({ severity: 'error', option: option.key, source, message, remedy });
  }
  if (option.type === 'string') warnQuotes(option, source, value, findings);
}

/** One empty item is none: what the original makes of `""` on its way through its libraries. */
function isNothing(value: OptionValue): boolean {
  return Array.isArray(value) && (value.length === 0 || (value.length === 1 && value[0] === ''));
}

function readFlagValue(option: Option, value: string): Read {
  switch (option.type) {
    case 'list':
      return readListFlag(option, value);
    case 'bool':
      return found(option, value, value === '' && option.flagNeedsValue ? false : parseGoBool(value));
    case 'int':
      return found(option, value, parseGoInt(value));
    case 'duration':
      return found(option, value, parseGoDuration(value));
    default:
      return { ok: true, value };
  }
}

/** CSV: so `"/developers"`, as it stands in a list of a Kubernetes manifest, means /developers. */
function readListFlag(option: Option, value: string): Read {
  if (value === '') return { ok: true, value: [] };
  const record = readCsvRecord(value);
  const remedy = 'repeat the flag for each item; an item with a comma or a quote goes in quotes: --flag=\'"a,b"\'';
  if (!record.ok) return { ok: false, wrong: `is ${quote(value, option.isSecret)}, which ${record.wrong}`, remedy };
  if (record.rest === '') return { ok: true, value: record.fields };
  return { ok: false, wrong: 'has several lines, of which oauth2-proxy would read the first alone', remedy };
}

/** A shell takes quotes away, a list of a manifest does not: nobody means them. */
function warnQuotes(option: Option, source: string, value: string, findings: Findings): void {
  if (!QUOTED.test(value)) return;
  const message = `is in quotes, which are taken as part of it: ${quote(value, option.isSecret)}`;
  const remedy = `in a list of arguments put the quotes around the whole: "--${option.flag}=..."`;
  findings.add({ severity: 'error', option: option.key, source, message, remedy });
}

function setOwn(step: {
  readonly own: OwnFlags;
  readonly flag: string;
  readonly ours: OwnFlag;
  readonly value: string;
  readonly findings: Findings;
}): OwnFlags {
  const { own, flag, ours, value, findings } = step;
  if (!ours.isBool) return { ...own, [ours.field]: value };
  const read = parseGoBool(value);
  if (read !== null) return { ...own, [ours.field]: read };
  const message = `is ${quote(value)}, not true or false`;
  findings.add({ severity: 'error', option: flag, source: `--${flag}`, message, remedy: `write --${flag} alone` });
  return own;
}

function unknownFlag(name: string, findings: Findings): void {
  const source = `--${name}`;
  if (name === 'convert-config-to-alpha') {
    const remedy = 'use --print-config, which writes a document for "postern run"';
    findings.add({ severity: 'error', option: name, source, message: 'is a flag of oauth2-proxy alone', remedy });
    return;
  }
  // A plural of the file, written as a flag, is the usual slip.
  const asKey = OPTIONS.find(({ key }) => key === name.replaceAll('-', '_'))?.flag;
  const near = asKey ?? suggest(name, [...OPTIONS.map(({ flag }) => flag), ...OWN.keys()]);
  const remedy = near === null ? '"postern forward-auth --help" lists them' : `did you mean --${near}?`;
  findings.add({ severity: 'error', option: name, source, message: 'is no flag that is known', remedy });
}

function valueMissing(name: string, findings: Findings): void {
  const remedy = `write --${name}=VALUE`;
  findings.add({ severity: 'error', option: name, source: `--${name}`, message: 'has no value', remedy });
}

function strayWord(word: string, lastBool: string | null, findings: Findings): void {
  const isMeant = lastBool !== null && parseGoBool(word) !== null;
  findings.add({
    severity: isMeant ? 'error' : 'warning',
    option: isMeant ? lastBool : quote(word),
    source: isMeant ? `--${lastBool}` : 'command line',
    message: isMeant ? `is followed by ${quote(word)}, which it does not take` : 'belongs to no flag and has no effect',
    remedy: isMeant ? `write --${lastBool}=${word}` : 'take it out',
  });
}
