/**
 * The part of Go's template language that pages of oauth2-proxy use: fields, if/else if/else/end, eq, ne, and, or,
 * not, ToUpper, ToLower, comments, trim markers, `define`. Everything else is refused by name and line, as is
 * every place where escaping for HTML would not make a value safe: what is parsed here cannot be broken out of.
 */
import { createPlaceReader, type Place } from './template-place.ts';
import { TemplateProblem } from './template-problem.ts';

export type Expression =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'call'; readonly name: string; readonly values: readonly Expression[] };

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly expression: Expression; readonly place: Place }
  | { readonly kind: 'if'; readonly branches: readonly Branch[] };

export interface Branch {
  /** Null: else. */
  readonly condition: Expression | null;
  readonly nodes: readonly TemplateNode[];
}

const ACTION = /\{\{(-\s)?([^]*?)(\s-)?\}\}/g;
const COMMENT = /^\s*\/\*[^]*\*\/\s*$/;
const FUNCTIONS: ReadonlySet<string> = new Set(['eq', 'ne', 'and', 'or', 'not', 'ToUpper', 'ToLower']);
const TOKEN = /\s*(?:(\()|(\))|(\|)|(\.[A-Za-z]\w*)|("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+)|([A-Za-z]\w*)|(\S+))/y;

interface Open {
  readonly kind: 'if' | 'define';
  readonly line: number;
  readonly branches: { condition: Expression | null; nodes: TemplateNode[] }[];
}

/** Nodes of the template; of the one that is defined under `name` where the file defines any. */
export function parseTemplate(source: string, name: string, fields: readonly string[]): readonly TemplateNode[] {
  const parser = createParser(name, fields);
  let at = 0;
  for (const match of source.matchAll(ACTION)) {
    const [whole, trimsBefore, inside = '', trimsAfter] = match;
    const line = source.slice(0, match.index).split('\n').length;
    const text = source.slice(at, match.index);
    parser.text(trimsBefore === undefined ? text : text.trimEnd());
    parser.action(inside, line);
    at = match.index + whole.length;
    if (trimsAfter !== undefined) at += (/^\s*/.exec(source.slice(at)) ?? [''])[0].length;
  }
  parser.text(source.slice(at));
  return parser.end();
}

// oxlint-disable-next-line max-lines-per-function -- a parser's one state
function createParser(
  name: string,
  fields: readonly string[],
): { text: (text: string) => void; action: (inside: string, line: number) => void; end: () => TemplateNode[] } {
  const root: TemplateNode[] = [];
  const defined = new Map<string, TemplateNode[]>();
  const open: Open[] = [];
  let place = createPlaceReader();
  const nodes = (): TemplateNode[] => open.at(-1)?.branches.at(-1)?.nodes ?? root;
  const ofIf = (word: string, line: number): Open => {
    const top = open.at(-1);
    if (top?.kind !== 'if') throw problem(line, `"${word}" stands without an "if"`, 'take it out, or write the "if"');
    return top;
  };
  return {
    text(text) {
      if (text !== '') nodes().push({ kind: 'text', text: place.read(text) });
    },
    action(inside, line) {
      if (COMMENT.test(inside)) return;
      const [, word = '', rest = ''] = /^\s*(define|if|else|end)?(?![\w.])\s*([^]*)$/.exec(inside) ?? [];
      const read = (text: string): Expression => parseExpression(text, line, fields);
      if (word === 'define') {
        if (open.length > 0) throw problem(line, '"define" stands inside of another action', 'move it out');
        const own: TemplateNode[] = [];
        defined.set(rest.trim().replaceAll(/^["`]|["`]$/g, ''), own);
        place = createPlaceReader();
        open.push({ kind: 'define', line, branches: [{ condition: null, nodes: own }] });
      } else if (word === 'if') {
        const branches = [{ condition: read(rest), nodes: [] }];
        nodes().push({ kind: 'if', branches });
        open.push({ kind: 'if', line, branches });
      } else if (word === 'else') {
        const isElseIf = /^if\b/.test(rest);
        if (!isElseIf && rest.trim() !== '')
          throw problem(line, `"else ${rest.trim()}" is not known`, 'use "else" or "else if"');
        ofIf('else', line).branches.push({ condition: isElseIf ? read(rest.slice(2)) : null, nodes: [] });
      } else if (word === 'end') {
        if (open.pop() === undefined) throw problem(line, '"end" ends nothing', 'take it out');
      } else nodes().push({ kind: 'value', expression: read(inside), place: place.at(line) });
    },
    end() {
      const [first] = open;
      if (first !== undefined) throw problem(first.line, `"${first.kind}" has no "end"`, 'write {{end}} where it ends');
      if (defined.size === 0) return root;
      const own = defined.get(name);
      if (own !== undefined) return own;
      throw problem(1, `no template "${name}" is defined`, `write {{define "${name}"}}, or leave "define" out`);
    },
  };
}

function parseExpression(text: string, line: number, fields: readonly string[]): Expression {
  const tokens = tokenise(text, line);
  const whole = readPipe(tokens, line, fields);
  if (tokens.length > 0) throw unknown(text, line);
  return whole;
}

type Token = { readonly kind: '(' | ')' | '|' | 'field' | 'literal' | 'word'; readonly text: string };

function tokenise(text: string, line: number): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  const trimmed = text.trim();
  while (TOKEN.lastIndex < trimmed.length) {
    const [, open, close, pipe, field, string, number, word, other] = TOKEN.exec(trimmed) ?? [];
    if (other !== undefined) throw unknown(text, line);
    if (open !== undefined) tokens.push({ kind: '(', text: '(' });
    else if (close !== undefined) tokens.push({ kind: ')', text: ')' });
    else if (pipe !== undefined) tokens.push({ kind: '|', text: '|' });
    else if (field !== undefined) tokens.push({ kind: 'field', text: field.slice(1) });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else tokens.push({ kind: 'literal', text: string ?? number ?? '' });
  }
  return tokens;
}

function readPipe(tokens: Token[], line: number, fields: readonly string[]): Expression {
  let value = readCall(tokens, line, fields);
  while (tokens[0]?.kind === '|') {
    tokens.shift();
    const word = tokens.shift();
    if (word?.kind !== 'word' || !FUNCTIONS.has(word.text)) throw unknown(word?.text ?? '|', line);
    value = { kind: 'call', name: word.text, values: [...readValues(tokens, line, fields), value] };
  }
  return value;
}

function readCall(tokens: Token[], line: number, fields: readonly string[]): Expression {
  const [first] = tokens;
  if (first?.kind !== 'word' || first.text === 'true' || first.text === 'false') return readValue(tokens, line, fields);
  tokens.shift();
  if (!FUNCTIONS.has(first.text)) throw unknown(first.text, line);
  return { kind: 'call', name: first.text, values: readValues(tokens, line, fields) };
}

function readValues(tokens: Token[], line: number, fields: readonly string[]): Expression[] {
  const values: Expression[] = [];
  while (tokens.length > 0 && tokens[0]?.kind !== '|' && tokens[0]?.kind !== ')')
    values.push(readValue(tokens, line, fields));
  return values;
}

function readValue(tokens: Token[], line: number, fields: readonly string[]): Expression {
  const token = tokens.shift();
  if (token?.kind === '(') {
    const inner = readPipe(tokens, line, fields);
    if (tokens.shift()?.kind !== ')') throw unknown('(', line);
    return inner;
  }
  if (token?.kind === 'field') {
    if (fields.includes(token.text)) return { kind: 'field', name: token.text };
    throw problem(
      line,
      `there is no field ".${token.text}"`,
      `use one of ${fields.map((one) => `.${one}`).join(', ')}`,
    );
  }
  if (token?.kind === 'literal') return { kind: 'literal', value: literalOf(token.text) };
  if (token?.kind === 'word' && (token.text === 'true' || token.text === 'false'))
    return { kind: 'literal', value: token.text === 'true' };
  throw unknown(token?.text ?? '', line);
}

function literalOf(text: string): string | number {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, '$1') : Number(text);
}

function unknown(text: string, line: number): TemplateProblem {
  const known = 'fields, if, else, end, eq, ne, and, or, not, ToUpper, ToLower, define and comments';
  return problem(line, `"{{${text.trim()}}}" is not understood`, `of Go's templates, use ${known}`);
}

function problem(line: number, message: string, remedy: string): TemplateProblem {
  return new TemplateProblem(`line ${line}: ${message}`, remedy);
}
