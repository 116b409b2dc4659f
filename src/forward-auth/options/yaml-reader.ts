/** Reads a YAML tree field by field, with the line of each: what is not asked for, or of another type, is a finding. */
import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml';
import { suggest } from '../../config/did-you-mean.ts';
import { parseGoDuration } from './go-values.ts';
import type { Findings } from './finding.ts';
import type { Document } from 'yaml';
import type { TextFile } from './read-toml.ts';

export interface YamlField {
  /** "providers[0].clientID". */
  readonly path: string;
  /** "alpha.yaml:12". */
  readonly source: string;
  readonly node: unknown;
}

export interface YamlReader {
  readonly root: YamlField | null;
  /** Fields of a mapping by the names that are asked for, in any case; another name is a finding. */
  readonly fields: <N extends string>(field: YamlField, names: readonly N[]) => ReadonlyMap<N, YamlField>;
  readonly items: (field: YamlField) => readonly YamlField[];
  readonly string: (field: YamlField) => string | null;
  readonly bool: (field: YamlField) => boolean | null;
  readonly int: (field: YamlField) => number | null;
  readonly duration: (field: YamlField) => number | null;
  readonly strings: (field: YamlField) => readonly string[] | null;
  readonly fault: (field: YamlField, message: string, remedy: string | null) => null;
}

/** Aliases may be used, not followed without end. */
const MOST_ALIASES = 100;

/** The parsed text, and where faults go. */
interface Tree {
  readonly document: Document.Parsed;
  readonly place: (offset: number) => string;
  readonly fault: YamlReader['fault'];
}

export function createYamlReader(file: TextFile, findings: Findings): YamlReader {
  const lines = new LineCounter();
  const document = parseDocument(file.text, { lineCounter: lines, uniqueKeys: true });
  const place = (offset: number): string => `${file.name}:${lines.linePos(offset).line}`;
  for (const error of document.errors) {
    const message = `cannot be read: ${error.message.split(' at line ')[0] ?? error.code}`;
    findings.add({ severity: 'error', option: 'the file', source: place(error.pos[0]), message, remedy: null });
  }
  const fault: YamlReader['fault'] = ({ path, source }, message, remedy) => {
    findings.add({ severity: 'error', option: path, source, message, remedy });
    return null;
  };
  const tree: Tree = { document, place, fault };
  const isGood = document.errors.length === 0 && document.contents !== null;
  const ask =
    <T>(wanted: string, read: (value: unknown) => T | null) =>
    (field: YamlField): T | null =>
      typed(tree, { field, value: read(scalarOf(field)), wanted });
  return {
    root: isGood ? fieldAt(tree, { path: '', node: document.contents, source: file.name }) : null,
    fault,
    fields: (field, names) => readFields(tree, field, names),
    items: (field) => readItems(tree, field),
    string: ask('text', (value) => (typeof value === 'string' ? value : null)),
    bool: ask('true or false', (value) => (typeof value === 'boolean' ? value : null)),
    int: ask('a whole number', (value) => (Number.isSafeInteger(value) ? Number(value) : null)),
    duration: (field) => readDuration(tree, field),
    strings: (field) => readStrings(tree, field),
  };
}

function resolved(document: Document.Parsed, node: unknown): unknown {
  let current = node;
  for (let count = 0; isAlias(current); count++) {
    if (count === MOST_ALIASES) return null;
    current = current.resolve(document);
  }
  return current;
}

function fieldAt(tree: Tree, { path, node, source }: YamlField): YamlField {
  const range = isNode(node) ? node.range : null;
  const own = range === null || range === undefined ? source : tree.place(range[0]);
  return { path, source: own, node: resolved(tree.document, node) };
}

function scalarOf({ node }: YamlField): unknown {
  return isScalar(node) ? node.value : undefined;
}

function isNothing({ node }: YamlField): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

/** Nothing where the field is empty, a fault where it holds something else. */
function typed<T>(
  { fault }: Tree,
  { field, value, wanted }: { readonly field: YamlField; readonly value: T | null; readonly wanted: string },
): T | null {
  if (value !== null || isNothing(field)) return value;
  return fault(field, `is not ${wanted}`, wanted === 'text' ? 'put it in quotes' : null);
}

function readFields<N extends string>(tree: Tree, field: YamlField, names: readonly N[]): ReadonlyMap<N, YamlField> {
  const found = new Map<N, YamlField>();
  if (isNothing(field)) return found;
  if (!isMap(field.node)) {
    tree.fault({ ...field, path: field.path || 'the file' }, 'is not a mapping', `write ${names[0] ?? 'name'}: ...`);
    return found;
  }
  for (const { key: keyNode, value } of field.node.items) {
    const key = isScalar(keyNode) ? String(keyNode.value) : '';
    const name = names.find((one) => one.toLowerCase() === key.toLowerCase());
    const path = field.path === '' ? (name ?? key) : `${field.path}.${name ?? key}`;
    // The line of the name, not of what stands below it.
    const { source } = fieldAt(tree, { path, node: keyNode, source: field.source });
    const child = { path, source, node: resolved(tree.document, value) };
    if (name !== undefined && !found.has(name)) found.set(name, child);
    else unknownName(child, key, names, tree.fault);
  }
  return found;
}

function readItems(tree: Tree, field: YamlField): readonly YamlField[] {
  if (isNothing(field)) return [];
  if (isSeq(field.node))
    return field.node.items.map((node, index) =>
      fieldAt(tree, { path: `${field.path}[${index}]`, node, source: field.source }),
    );
  tree.fault(field, 'is not a list', 'begin each item with "- "');
  return [];
}

function readStrings(tree: Tree, field: YamlField): readonly string[] | null {
  if (isNothing(field)) return null;
  if (!isSeq(field.node)) return tree.fault(field, 'is not a list', 'write ["one", "two"]');
  const values = field.node.items.map((item) => {
    const node = resolved(tree.document, item);
    return isScalar(node) && typeof node.value === 'string' ? node.value : null;
  });
  const isText = values.every((value) => value !== null);
  return isText ? values : tree.fault(field, 'holds something else than text', 'put each item in quotes');
}

/** A fraction counts seconds in the original, a whole number nanoseconds. */
function readDuration(tree: Tree, field: YamlField): number | null {
  const value = scalarOf(field);
  const wanted = 'a duration such as 30s';
  if (typeof value === 'string') return typed(tree, { field, value: parseGoDuration(value), wanted });
  if (typeof value !== 'number') return typed<number>(tree, { field, value: null, wanted });
  if (value === 0 || value >= 1e9) return value / 1e6;
  if (!Number.isInteger(value)) return value * 1000;
  return tree.fault(
    field,
    `is ${value}, which oauth2-proxy counts in nanoseconds`,
    `write its unit, such as ${value}s`,
  );
}

function unknownName(field: YamlField, key: string, names: readonly string[], fault: YamlReader['fault']): void {
  const isTwin = names.some((name) => name.toLowerCase() === key.toLowerCase());
  const near = suggest(key, names);
  const remedy = near === null ? `known here: ${names.join(', ')}` : `did you mean ${near}?`;
  if (isTwin) fault(field, 'is given twice', 'keep one of them');
  else fault(field, 'is no field that is known', remedy);
}
