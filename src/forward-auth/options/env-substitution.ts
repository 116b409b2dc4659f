/**
 * `$NAME` and `${NAME}` in the structured file, as the original substitutes them: in its text, before it is
 * YAML. `${NAME:-default}`, `-`, `:=`, `=`, `:+` and `+` too; `$$` is a dollar, and `$1` stays for rewrites.
 */
export type Substituted =
  | {
      readonly ok: true;
      readonly text: string;
      /** Not set, and without a default. */ readonly unset: readonly string[];
    }
  | { readonly ok: false; /** From 1. */ readonly line: number };

const NAME = /[\p{L}\p{Nd}_]+/uy;

export function substituteEnv(source: string, variables: ReadonlyMap<string, string>): Substituted {
  const unset = new Set<string>();
  let text = '';
  let at = 0;
  while (at < source.length) {
    const dollar = source.indexOf('$', at);
    if (dollar === -1) break;
    text += source.slice(at, dollar);
    const next = source[dollar + 1] ?? '';
    if (next === '$') {
      text += '$';
      at = dollar + 2;
    } else if (next === '{') {
      const braced = readBraced(source, dollar, { variables, unset });
      if (braced === null) return { ok: false, line: source.slice(0, dollar).split('\n').length };
      text += braced.text;
      at = braced.end;
    } else {
      const name = nameAt(source, dollar + 1);
      const isVariable = name !== '' && name !== '_' && !/^\p{Nd}/u.test(name);
      if (!isVariable) text += `$${name}`;
      else text += valueOf(name, { variables, unset });
      at = dollar + 1 + name.length;
    }
  }
  return { ok: true, text: text + source.slice(at), unset: [...unset] };
}

interface Values {
  readonly variables: ReadonlyMap<string, string>;
  readonly unset: Set<string>;
}

function nameAt(source: string, at: number): string {
  NAME.lastIndex = at;
  return NAME.exec(source)?.[0] ?? '';
}

function valueOf(name: string, { variables, unset }: Values): string {
  const value = variables.get(name);
  if (value === undefined) unset.add(name);
  return value ?? '';
}

interface Braced {
  readonly text: string;
  readonly end: number;
}

/** `dollar` is where `${` begins; null where it never closes on its line. */
function readBraced(source: string, dollar: number, values: Values): Braced | null {
  const name = nameAt(source, dollar + 2);
  const from = dollar + 2 + name.length;
  const close = closingBrace(source, from);
  if (close === -1) return null;
  const end = close + 1;
  if (name === '') return { text: source.slice(dollar, end), end };
  const [, operator = '', word = ''] = /^(:[-=+]|[-=+])?(.*)$/s.exec(source.slice(from, close)) ?? [];
  if (operator === '') return { text: valueOf(name, values), end };
  const value = values.variables.get(name);
  if (operator.endsWith('+')) return { text: value === undefined ? '' : wordOf(word, values), end };
  const isTaken = operator.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
  return { text: isTaken ? (value ?? '') : wordOf(word, values), end };
}

function closingBrace(source: string, from: number): number {
  for (let at = from; at < source.length; at++) {
    const char = source[at];
    if (char === '}') return at;
    if (char === '\n' || char === '\r') return -1;
  }
  return -1;
}

/** A default may be another variable; within it nothing else is substituted. */
function wordOf(word: string, values: Values): string {
  const name = word.startsWith('$') ? nameAt(word, 1) : '';
  return name !== '' && name.length === word.length - 1 ? valueOf(name, values) : word;
}
