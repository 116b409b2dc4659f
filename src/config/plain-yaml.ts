/**
 * A fast reader for the plain part of YAML that large, generated documents are made of: block maps and
 * lists, one-line flow collections, scalars without escapes. Ten times as fast as the full parser. It
 * never guesses: anything else (anchors, tags, block text, several lines, a key twice, any mistake)
 * gives null, and the full parser reads the text. Both give the same data, which a test fuzzes.
 */
import type { Plain } from './yaml-tree.ts';

type PlainMap = Record<string, Plain>;

interface Line {
  readonly indent: number;
  readonly text: string;
  /** Where `text` begins in the document. */
  readonly at: number;
}

/** Told where everything stands, while it is read. */
export interface PlaceNotes {
  /** `keyAt` is null in lists. A value that is not written (`key:`) has no place: null. */
  readonly add: (
    parent: object,
    step: string | number,
    place: { readonly keyAt: number | null; readonly valueAt: number | null; readonly isBlock: boolean },
  ) => void;
}

class NotPlain extends Error {}

const DEEPEST = 20;
const ODD_CHARACTER = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u2028\u2029\uD800-\uDFFF\uFEFF\uFFFE\uFFFF]/;
const PLAIN_KEY = /[A-Za-z_/][\w./*-]*(?=:(?: |$))/y;
const QUOTED = /"([^"\\]*)"|'([^']*)'/y;
/** First characters that mean something else to YAML, or may be part of a number. */
const INDICATOR = /^[,[\]{}#&*!|>'"%@`?:-]/;
const NUMBER_LIKE = /^[-+.\d][-+.\dA-Fa-foxXINinft_]*$/;
const INTEGER = /^(?:0|[1-9]\d{0,14})$/;
const RESERVED: ReadonlySet<string> = new Set(['null', 'Null', 'NULL', '~', 'True', 'TRUE', 'False', 'FALSE']);
const BLOCK_END = / #|$/g;

/** The data, before substitution; null where the text is not plain enough. */
export function readPlainYaml(text: string, notes: PlaceNotes | null = null): Plain | null {
  if (ODD_CHARACTER.test(text)) return null;
  try {
    const reader = new Reader(linesOf(text), notes);
    return reader.readDocument();
  } catch (error) {
    if (error instanceof NotPlain) return null;
    throw error;
  }
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  for (let from = 0; from < text.length;) {
    let at = from;
    while (text.charCodeAt(at) === 32) at++;
    const first = text.charCodeAt(at);
    const end = text.indexOf('\n', at);
    const next = end === -1 ? text.length : end;
    if (at < next && first !== 35) lines.push({ indent: at - from, text: text.slice(at, next), at });
    from = next + 1;
  }
  return lines;
}

class Reader {
  readonly #lines: readonly Line[];
  readonly #notes: PlaceNotes | null;
  #at = 0;

  constructor(lines: readonly Line[], notes: PlaceNotes | null) {
    this.#lines = lines;
    this.#notes = notes;
  }

  readDocument(): Plain {
    const first = this.#lines[0];
    if (first === undefined || first.indent !== 0) throw new NotPlain();
    const map = this.#readMap(0, 0);
    if (this.#at !== this.#lines.length) throw new NotPlain();
    return map;
  }

  #readMap(indent: number, depth: number): PlainMap {
    if (depth > DEEPEST) throw new NotPlain();
    const map: PlainMap = {};
    for (let line = this.#lines[this.#at]; line !== undefined && line.indent >= indent; line = this.#lines[this.#at]) {
      if (line.indent > indent) throw new NotPlain();
      const [key, end] = readKey(line.text, 0);
      if (Object.hasOwn(map, key)) throw new NotPlain();
      this.#at++;
      const rest = skipSpaces(line.text, end);
      const isBlock = isEnd(line.text, rest);
      const value = isBlock ? this.#readBlock(indent, depth) : this.#readInline(line, rest, indent);
      map[key] = value;
      const valueAt = isBlock ? null : line.at + rest;
      this.#notes?.add(map, key, { keyAt: line.at, valueAt, isBlock: isBlock && value !== null });
    }
    return map;
  }

  /** What stands below a key: a deeper block, or nothing. */
  #readBlock(indent: number, depth: number): Plain {
    const next = this.#lines[this.#at];
    if (next === undefined || next.indent < indent) return null;
    const isList = next.text.startsWith('- ');
    if (next.indent === indent && !isList) return null;
    return isList ? this.#readList(next.indent) : this.#readMap(next.indent, depth + 1);
  }

  #readList(indent: number): Plain[] {
    const list: Plain[] = [];
    for (let line = this.#lines[this.#at]; line !== undefined && line.indent >= indent; line = this.#lines[this.#at]) {
      if (line.indent > indent) throw new NotPlain();
      // At the indent of its own key a list ends with the next key.
      if (!line.text.startsWith('- ')) break;
      this.#at++;
      const from = skipSpaces(line.text, 2);
      if (isEnd(line.text, from)) throw new NotPlain();
      list.push(this.#readInline(line, from, indent));
      this.#notes?.add(list, list.length - 1, { keyAt: null, valueAt: line.at + from, isBlock: false });
    }
    return list;
  }

  /** A value on the line of its key. A deeper line below would continue it. */
  #readInline({ text, at }: Line, from: number, indent: number): Plain {
    const next = this.#lines[this.#at];
    if (next !== undefined && next.indent > indent) throw new NotPlain();
    const first = text[from];
    if (first === '{' || first === '[' || first === '"' || first === "'") {
      const flow = new Flow(text, from, this.#notes === null ? null : { notes: this.#notes, lineAt: at });
      const value = flow.readValue(0);
      if (!isEnd(text, skipSpaces(text, flow.at)) || (flow.at < text.length && text[flow.at] !== ' '))
        throw new NotPlain();
      return value;
    }
    BLOCK_END.lastIndex = from;
    const end = BLOCK_END.exec(text)?.index ?? text.length;
    const scalar = text.slice(from, beforeSpaces(text, end));
    if (INDICATOR.test(scalar) || scalar.includes(': ') || scalar.endsWith(':')) throw new NotPlain();
    return resolve(scalar);
  }
}

function readKey(text: string, from: number): readonly [key: string, end: number] {
  QUOTED.lastIndex = from;
  const quoted = QUOTED.exec(text);
  if (quoted !== null) {
    const end = from + quoted[0].length;
    if (text[end] !== ':' || (text[end + 1] !== ' ' && end + 1 !== text.length)) throw new NotPlain();
    return [checkKey(quoted[1] ?? quoted[2] ?? ''), end + 1];
  }
  PLAIN_KEY.lastIndex = from;
  const plain = PLAIN_KEY.exec(text)?.[0];
  if (plain === undefined || RESERVED.has(plain)) throw new NotPlain();
  return [checkKey(plain), from + plain.length + 1];
}

function checkKey(key: string): string {
  if (key === '__proto__' || key === '<<') throw new NotPlain();
  return key;
}

/** True at the end of the line or before a comment. */
function isEnd(text: string, at: number): boolean {
  return at >= text.length || (text[at] === '#' && text[at - 1] === ' ');
}

function skipSpaces(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === 32) at++;
  return at;
}

/** Spaces alone: to YAML a no-break space is a character like others. */
function beforeSpaces(text: string, end: number): number {
  let at = end;
  while (text.charCodeAt(at - 1) === 32) at--;
  return at;
}

/** A plain scalar in the core schema. Numbers other than whole ones are left to the full parser. */
function resolve(scalar: string): Plain {
  if (scalar === 'true') return true;
  if (scalar === 'false') return false;
  if (INTEGER.test(scalar)) return Number(scalar);
  if (scalar === '' || NUMBER_LIKE.test(scalar) || RESERVED.has(scalar)) throw new NotPlain();
  return scalar;
}

/** A flow collection or quoted scalar on one line. */
class Flow {
  readonly #text: string;
  readonly #places: { readonly notes: PlaceNotes; readonly lineAt: number } | null;
  at: number;

  constructor(text: string, at: number, places: { readonly notes: PlaceNotes; readonly lineAt: number } | null) {
    this.#text = text;
    this.#places = places;
    this.at = at;
  }

  readValue(depth: number): Plain {
    if (depth > DEEPEST) throw new NotPlain();
    const char = this.#text[this.at];
    if (char === '{') return this.#readMap(depth);
    if (char === '[') return this.#readList(depth);
    QUOTED.lastIndex = this.at;
    const quoted = QUOTED.exec(this.#text);
    if (quoted === null) return this.#readScalar();
    this.at += quoted[0].length;
    return quoted[1] ?? quoted[2] ?? '';
  }

  #readMap(depth: number): PlainMap {
    const map: PlainMap = {};
    this.at = skipSpaces(this.#text, this.at + 1);
    while (this.#text[this.at] !== '}') {
      const keyAt = this.at;
      const [key, end] = readKey(this.#text, keyAt);
      if (Object.hasOwn(map, key)) throw new NotPlain();
      this.at = skipSpaces(this.#text, end);
      this.#note(map, key, keyAt);
      map[key] = this.readValue(depth + 1);
      this.#readSeparator('}');
    }
    this.at++;
    return map;
  }

  #readList(depth: number): Plain[] {
    const list: Plain[] = [];
    this.at = skipSpaces(this.#text, this.at + 1);
    while (this.#text[this.at] !== ']') {
      this.#note(list, list.length, null);
      list.push(this.readValue(depth + 1));
      this.#readSeparator(']');
    }
    this.at++;
    return list;
  }

  /** The value begins here. */
  #note(parent: object, step: string | number, keyAt: number | null): void {
    if (this.#places === null) return;
    const { notes, lineAt } = this.#places;
    const place = { keyAt: keyAt === null ? null : lineAt + keyAt, valueAt: lineAt + this.at, isBlock: false };
    notes.add(parent, step, place);
  }

  /** A comma with an entry behind it, or the end. */
  #readSeparator(close: string): void {
    this.at = skipSpaces(this.#text, this.at);
    if (this.#text[this.at] === close) return;
    if (this.#text[this.at] !== ',') throw new NotPlain();
    this.at = skipSpaces(this.#text, this.at + 1);
    if (this.#text[this.at] === close) throw new NotPlain();
  }

  #readScalar(): Plain {
    const from = this.at;
    while (this.at < this.#text.length && !',[]{}'.includes(this.#text[this.at] as string)) this.at++;
    const scalar = this.#text.slice(from, beforeSpaces(this.#text, this.at));
    if (INDICATOR.test(scalar) || scalar.includes(' #') || /:(?: |$)/.test(scalar)) throw new NotPlain();
    return resolve(scalar);
  }
}

/** Replaces, in place, every text that holds `${` by what it stands for. */
export function mapTexts(
  plain: Plain,
  path: (string | number)[],
  readText: (text: string, path: readonly (string | number)[]) => string | undefined,
): Plain {
  if (typeof plain === 'string') return plain.includes('${') ? readText(plain, path) : plain;
  if (typeof plain !== 'object' || plain === null) return plain;
  const entries = plain as Record<string | number, Plain>;
  for (const key of Object.keys(plain)) {
    const value = entries[key];
    if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) continue;
    path.push(Array.isArray(plain) ? Number(key) : key);
    const mapped = mapTexts(value, path, readText);
    if (mapped !== value) entries[key] = mapped;
    path.pop();
  }
  return plain;
}
