/**
 * Reads an env file as systemd's EnvironmentFile= does: NAME=value, comments with "#" or ";", single and
 * double quotes, a backslash at the end of a line continues it. A leading `export ` is borne. Nothing is
 * expanded and no shell runs. Messages name the line and the variable, never the value.
 */
export interface EnvFileProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
  readonly remedy: string;
}

export interface EnvFile {
  readonly variables: ReadonlyMap<string, string>;
  readonly problems: readonly EnvFileProblem[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SPACES = /[ \t]/;

export function parseEnvFile(text: string): EnvFile {
  const variables = new Map<string, string>();
  const problems: EnvFileProblem[] = [];
  const source = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  let at = 0;
  let line = 1;
  while (at < source.length) {
    const entry = readEntry(source, at);
    const message = entry.kind === 'problem' ? entry : null;
    if (message !== null) problems.push({ line, message: message.message, remedy: message.remedy });
    else if (entry.kind === 'variable') variables.set(entry.name, entry.value);
    line += source.slice(at, entry.end).split('\n').length - 1;
    at = entry.end;
  }
  return { variables, problems };
}

/** What the process was started with, and the env file, which wins: it alone can change while running. */
export function mergeEnvironment(
  processEnv: Readonly<Record<string, string | undefined>>,
  file: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const merged = new Map<string, string>();
  for (const [name, value] of Object.entries(processEnv)) if (value !== undefined) merged.set(name, value);
  for (const [name, value] of file) merged.set(name, value);
  return merged;
}

type Entry =
  | { readonly kind: 'none'; readonly end: number }
  | { readonly kind: 'problem'; readonly end: number; readonly message: string; readonly remedy: string }
  | { readonly kind: 'variable'; readonly end: number; readonly name: string; readonly value: string };

function readEntry(source: string, from: number): Entry {
  const newline = source.indexOf('\n', from);
  const end = newline === -1 ? source.length : newline + 1;
  const whole = source.slice(from, end).trim();
  if (whole === '' || whole.startsWith('#') || whole.startsWith(';')) return { kind: 'none', end };
  const equals = source.indexOf('=', from);
  if (equals === -1 || equals >= end) {
    return {
      kind: 'problem',
      end,
      message: 'The line has no "="',
      remedy: 'write NAME=value, or begin a comment with "#"',
    };
  }
  const name = source
    .slice(from, equals)
    .trim()
    .replace(/^export[ \t]+/, '');
  if (!NAME.test(name)) {
    return {
      kind: 'problem',
      end,
      message: 'The part before "=" is not a variable name',
      remedy: 'write letters, digits and "_" alone',
    };
  }
  const value = readValue(source, equals + 1);
  if (value.isOpen) {
    return {
      kind: 'problem',
      end,
      message: `The value of "${name}" has a quote that is never closed`,
      remedy: 'close the quote, or write \\" for a quote itself',
    };
  }
  if (value.text.includes('\0')) {
    return { kind: 'problem', end: value.end, message: `The value of "${name}" holds a NUL`, remedy: 'remove it' };
  }
  return { kind: 'variable', end: value.end, name, value: value.text };
}

interface Value {
  readonly text: string;
  readonly end: number;
  readonly isOpen: boolean;
}

/** Quoted and bare stretches join, as in a shell: a"b c"d. Spaces around the whole are dropped. */
function readValue(source: string, from: number): Value {
  let text = '';
  /** Length up to which `text` must be kept though it ends in spaces. */
  let kept = 0;
  let at = from;
  while (at < source.length && source[at] !== '\n') {
    const char = source[at] as string;
    if (char === '"' || char === "'") {
      const quoted = readQuoted(source, at + 1, char);
      if (quoted.isOpen) return quoted;
      text += quoted.text;
      kept = text.length;
      at = quoted.end;
    } else if (char === '\\' && at + 1 < source.length) {
      if (source[at + 1] !== '\n') text += source[at + 1] ?? '';
      kept = text.length;
      at += 2;
    } else {
      if (text !== '' || !SPACES.test(char)) text += char;
      at++;
    }
  }
  const trimmed = text.slice(kept).replace(/[ \t]+$/, '');
  return { text: text.slice(0, kept) + trimmed, end: at + 1, isOpen: false };
}

/** In double quotes a backslash keeps only `"`, `\`, `$` and "`"; before others it stays. None in single quotes. */
function readQuoted(source: string, from: number, quote: string): Value {
  let text = '';
  for (let at = from; at < source.length; at++) {
    const char = source[at] as string;
    if (char === quote) return { text, end: at + 1, isOpen: false };
    const next = source[at + 1];
    if (quote === '"' && char === '\\' && next !== undefined && '"\\$`\n'.includes(next)) {
      if (next !== '\n') text += next;
      at++;
    } else text += char;
  }
  return { text, end: source.length, isOpen: true };
}
