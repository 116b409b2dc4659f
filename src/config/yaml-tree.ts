/**
 * From YAML text to plain data with own rules: no duplicate keys, tags or collections as keys, bounded
 * depth and aliases (a "billion laughs" is refused). Finds the place of a path in the text afterwards.
 * The library's own uniqueness check takes quadratic time, so that keys are checked here.
 */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { Document as YamlDocument, Node } from 'yaml';
import type { Path } from './document/path.ts';
import { placeText } from './normalise/context.ts';

export type Plain = string | number | boolean | null | undefined | Plain[] | { [key: string]: Plain };

export interface TreeNote {
  readonly path: Path;
  readonly message: string;
  readonly remedy: string | null;
  /** Index into the text. */
  readonly offset: number;
}

export interface Tree {
  readonly plain: Plain;
  readonly notes: readonly TreeNote[];
}

const DEEPEST = 40;
const MOST_ALIASED = 100_000;

export function parseYaml(text: string): YamlDocument {
  return parseDocument(text, {
    uniqueKeys: false,
    prettyErrors: false,
    // "silent" would leave out the error about a second document, too.
    logLevel: 'error',
    schema: 'core',
    stringKeys: false,
    merge: false,
    resolveKnownTags: false,
  });
}

/** `readText` gives what a text scalar stands for; undefined leaves the entry out. */
export function readTree(document: YamlDocument, readText: (text: string, path: Path) => string | undefined): Tree {
  const reader = new TreeReader(readText);
  const plain = document.contents === null ? null : reader.read(document.contents, []);
  return { plain, notes: reader.notes };
}

class TreeReader {
  readonly notes: TreeNote[] = [];
  readonly #readText: (text: string, path: Path) => string | undefined;
  readonly #anchors = new Map<string, Node>();
  #insideAlias = 0;
  #aliased = 0;

  constructor(readText: (text: string, path: Path) => string | undefined) {
    this.#readText = readText;
  }

  read(node: Node | null, path: readonly (string | number)[]): Plain {
    if (node === null) return null;
    if (this.#insideAlias > 0 && ++this.#aliased > MOST_ALIASED) return this.#tooMany(node, path);
    if (path.length > DEEPEST) return this.#note(node, path, 'is nested too deeply', null);
    if (isAlias(node)) return this.#readAlias(node, path);
    const plain = this.#readContent(node, path);
    const { anchor } = node as Scalar;
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    return plain;
  }

  #readContent(node: Node, path: readonly (string | number)[]): Plain {
    if (isMap(node)) return this.#readMap(node as YAMLMap<Node, Node | null>, path);
    if (isSeq(node)) return this.#readList(node as YAMLSeq<Node>, path);
    if (!isScalar(node)) return null;
    const { value } = node;
    if (typeof value === 'string') return value.includes('${') ? this.#readText(value, path) : value;
    if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
    return this.#note(node, path, 'is not a plain value', 'write it as text in quotes');
  }

  #readAlias(alias: Alias, path: readonly (string | number)[]): Plain {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) {
      return this.#note(
        alias,
        path,
        `is the alias "*${alias.source}" of no earlier anchor`,
        `quote it where text is meant: "*${alias.source}"`,
      );
    }
    this.#insideAlias++;
    const plain = this.read(target, path);
    this.#insideAlias--;
    return plain;
  }

  #readList(list: YAMLSeq<Node>, path: readonly (string | number)[]): Plain {
    return list.items.map((item, index) => this.read(item, [...path, index]));
  }

  #readMap(map: YAMLMap<Node, Node | null>, path: readonly (string | number)[]): Plain {
    const template = templateIn(map);
    if (template !== null)
      return this.#note(map, path, `is a YAML map, since "${template}" is not quoted`, `quote it: "${template}"`);
    const plain: Record<string, Plain> = {};
    const seen = new Set<string>();
    let merged: Record<string, Plain> = {};
    let hasMerge = false;
    for (const pair of map.items) {
      const key = this.#readKey(pair, path);
      if (key === null) continue;
      if (key === '<<' && isPlainMerge(pair.key)) {
        merged = { ...this.#readMerge(pair.value, path), ...merged };
        hasMerge = true;
        continue;
      }
      if (seen.has(key)) this.#note(pair.key, [...path, key], 'is written twice', 'merge the two into one');
      seen.add(key);
      plain[key] = this.read(pair.value, [...path, key]);
    }
    return hasMerge ? { ...merged, ...plain } : plain;
  }

  #readMerge(node: Node | null, path: readonly (string | number)[]): Record<string, Plain> {
    const value = this.read(node, path);
    const sources = Array.isArray(value) ? value : [value];
    let merged: Record<string, Plain> = {};
    for (const source of sources) {
      if (source === undefined) continue;
      if (typeof source === 'object' && source !== null && !Array.isArray(source))
        merged = { ...(source as Record<string, Plain>), ...merged };
      else if (node !== null)
        this.#note(node, [...path, '<<'], 'is not a map that can be merged', 'name an anchor: "<<: *name"');
    }
    return merged;
  }

  #readKey({ key }: Pair<Node, Node | null>, path: readonly (string | number)[]): string | null {
    if (isAlias(key)) {
      this.#note(
        key,
        path,
        `has the key "*${key.source}", which YAML takes for an alias`,
        `quote it: "*${key.source}":`,
      );
      return null;
    }
    if (!isScalar(key) || key.value === null) {
      this.#note(key, path, 'has a key that is no text', 'quote it where text is meant');
      return null;
    }
    const text = typeof key.value === 'string' ? key.value : (key.source ?? `${key.value as number}`);
    if (text !== '__proto__') return text;
    this.#note(key, [...path, text], 'is not a name', 'choose another name');
    return null;
  }

  #tooMany(node: Node, path: Path): undefined {
    if (this.#aliased === MOST_ALIASED + 1)
      this.#note(node, path, 'holds too many aliases', 'write the repeated parts once');
    return undefined;
  }

  #note(node: Node, path: Path, wrong: string, remedy: string | null): undefined {
    this.notes.push({ path: [...path], message: `${placeText(path)} ${wrong}`, remedy, offset: offsetOf(node) });
    return undefined;
  }
}

function isPlainMerge(key: Node): boolean {
  return isScalar(key) && key.type === 'PLAIN';
}

/** `{user.name}` without quotes is a map with one key and no value. */
function templateIn(map: YAMLMap<Node, Node | null>): string | null {
  const first = map.items[0];
  if (map.flow !== true || map.items.length !== 1 || first === undefined) return null;
  const isBare = first.value === null || (isScalar(first.value) && first.value.value === null && !first.value.source);
  const isName = isScalar(first.key) && typeof first.key.value === 'string' && /^[\w.$-]+$/.test(first.key.value);
  return isBare && isName ? `{${String((first.key as Scalar).value)}}` : null;
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

/** Where the entry of a path stands: its value, or its key where that begins a block. The nearest parent where it is missing. */
export function findOffset(document: YamlDocument, path: Path, isAtKey: boolean): number {
  let node = document.contents;
  let offset = offsetOf(node);
  for (const [index, step] of path.entries()) {
    const pair = findEntry(document, node, step);
    if (pair === null) return offset;
    const isLast = index === path.length - 1;
    const isBlock = (isMap(pair.value) || isSeq(pair.value)) && (pair.value as YAMLMap).flow !== true;
    const useKey = pair.key !== null && (isBlock || pair.value === null || (isLast && isAtKey));
    offset = offsetOf(useKey ? pair.key : pair.value);
    node = pair.value;
  }
  return offset;
}

interface Entry {
  readonly key: Node | null;
  readonly value: Node | null;
}

/** Entries by key: a large map with many problems is searched many times. */
const indexes = new WeakMap<YAMLMap<Node, Node | null>, ReadonlyMap<string, Entry>>();

function indexOf(map: YAMLMap<Node, Node | null>): ReadonlyMap<string, Entry> {
  const known = indexes.get(map);
  if (known !== undefined) return known;
  const index = new Map<string, Entry>();
  for (const pair of map.items) {
    if (isScalar(pair.key))
      index.set(typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? ''), pair);
  }
  indexes.set(map, index);
  return index;
}

function findEntry(document: YamlDocument, parent: Node | null, step: string | number): Entry | null {
  const node = isAlias(parent) ? (parent.resolve(document) ?? null) : parent;
  if (isSeq(node)) {
    const value = typeof step === 'number' ? (node.items[step] as Node | undefined) : undefined;
    return value === undefined ? null : { key: null, value };
  }
  if (!isMap(node)) return null;
  const found = indexOf(node as YAMLMap<Node, Node | null>).get(String(step));
  if (found !== undefined) return found;
  const pairs = node.items as Pair<Node, Node | null>[];
  for (const { key, value } of pairs) {
    if (!isScalar(key) || key.value !== '<<' || value === null) continue;
    for (const source of isSeq(value) ? (value.items as Node[]) : [value]) {
      const entry = findEntry(document, source, step);
      if (entry !== null) return entry;
    }
  }
  return null;
}
