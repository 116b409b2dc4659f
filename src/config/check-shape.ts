/**
 * Holds plain data against the schema. Every mismatch becomes a problem and is taken out of the data,
 * so that what remains can be read further and all problems are shown at once.
 */
import { problem } from '../core/diagnostic.ts';
import type { Work } from '../core/turns.ts';
import { suggest } from './did-you-mean.ts';
import type { Path } from './document/path.ts';
import { type Note, type Origin, placeText } from './normalise/context.ts';
import { dropAt, putAt, quoteScalar, valueAt } from './plain.ts';
import { documentShape } from './schema.ts';
import { type ShapeProblem, shapeProblems } from './shape-notes.ts';
import type { Plain } from './yaml-tree.ts';

export interface ShapeContext {
  readonly originOf: (path: Path) => Origin | null;
  readonly markBroken: (path: Path) => void;
}

/** What is wrong; `plain` is pruned. */
export function* checkShape(plain: Plain, context: ShapeContext): Work<readonly Note[]> {
  let problems = yield* problemsOf(plain);
  if (convertSubstituted(plain, problems, context)) problems = yield* problemsOf(plain);
  const notes: Note[] = [];
  for (const one of problems) {
    const note = one.kind === 'unknown-key' ? unknownKeyNote(one) : mismatchNote(plain, one, context);
    if (note !== null) notes.push(withoutLine(note));
  }
  for (const one of problems) {
    context.markBroken(one.path);
    if (one.kind === 'mismatch') putAt(plain, one.path, undefined);
    else {
      dropAt(plain, one.path);
      if (one.meant !== null) context.markBroken([...one.path.slice(0, -1), one.meant]);
    }
  }
  return notes;
}

/** Hosts are held against the schema some at a time: all at once they keep everybody else waiting. */
const HOSTS_AT_ONCE = 200;

function* problemsOf(plain: Plain): Work<readonly ShapeProblem[]> {
  const { hosts } = (typeof plain === 'object' && plain !== null ? plain : {}) as { readonly hosts?: Plain };
  const isMap = typeof hosts === 'object' && hosts !== null && !Array.isArray(hosts);
  const names = isMap ? Object.keys(hosts) : [];
  if (names.length <= HOSTS_AT_ONCE) return problemsIn(plain);
  const found = [...problemsIn({ ...(plain as Record<string, Plain>), hosts: {} })];
  for (let from = 0; from < names.length; from += HOSTS_AT_ONCE) {
    yield;
    const some = names.slice(from, from + HOSTS_AT_ONCE).map((name) => [name, (hosts as Record<string, Plain>)[name]]);
    found.push(...problemsIn({ hosts: Object.fromEntries(some) as Record<string, Plain> }));
  }
  return found;
}

function problemsIn(plain: Plain): readonly ShapeProblem[] {
  const result = documentShape.safeParse(plain);
  return result.success ? [] : shapeProblems(result.error.issues);
}

/** "${PORT}" is text, but may stand where a number or true and false are wanted. */
function convertSubstituted(plain: Plain, problems: readonly ShapeProblem[], context: ShapeContext): boolean {
  let changed = false;
  for (const { kind, path } of problems) {
    const value = valueAt(plain, path);
    if (kind !== 'mismatch' || typeof value !== 'string' || context.originOf(path) === null) continue;
    if (/^\d{1,15}$/.test(value)) putAt(plain, path, Number(value));
    else if (value === 'true' || value === 'false') putAt(plain, path, value === 'true');
    else continue;
    changed = true;
  }
  return changed;
}

function unknownKeyNote({ path, known, meant, expected }: Extract<ShapeProblem, { kind: 'unknown-key' }>): Note {
  const list = known.length === 0 ? `expected ${expected}` : `known keys: ${known.map((key) => `"${key}"`).join(', ')}`;
  const remedy = meant === null ? list : `did you mean "${meant}"?`;
  return { ...problem(path, `${placeText(path)} is not a known key`, remedy), isAtKey: true };
}

function mismatchNote(
  plain: Plain,
  { path, expected, words }: Extract<ShapeProblem, { kind: 'mismatch' }>,
  context: ShapeContext,
): Note | null {
  const value = valueAt(plain, path);
  if (value === undefined) return words.length === 0 ? null : missingTypeNote(path, words);
  const place = placeText(path);
  const origin = context.originOf(path);
  if (origin !== null) {
    return problem(
      path,
      `${place} ${JSON.stringify(origin.raw)} is not ${expected}`,
      `check the value of "${origin.name}"`,
    );
  }
  if (value === null) return problem(path, `${place} has no value, expected ${expected}`);
  if (typeof value === 'object')
    return problem(path, `${place} is a ${Array.isArray(value) ? 'list' : 'map'}, expected ${expected}`);
  const close = suggest(String(value), words);
  const remedy = close === null ? null : `did you mean "${close}"?`;
  // A password of digits alone is a number in YAML.
  if (path[0] === 'services' || isCredential(path))
    return { ...problem(path, `${place} is not ${expected}`), isSecret: true };
  return problem(path, `${place} ${quoteScalar(value) ?? ''} is not ${expected}`, remedy);
}

/** The key that tells which others there are. */
function missingTypeNote(path: Path, words: readonly string[]): Note {
  const [first = ''] = words;
  const remedy = `add "${path.at(-1)}: ${first}", or one of ${words.slice(1).join(', ')}`;
  return problem(path.slice(0, -1), `${placeText(path.slice(0, -1))} has no "${path.at(-1)}"`, remedy);
}

/** A token of digits alone is a number in YAML. */
function isCredential(path: Path): boolean {
  return path.includes('eab') || (path[0] === 'dns' && path.length > 1 && path[2] !== 'type');
}

/** On the line of a DNS provider may stand its token. */
function withoutLine(note: Note): Note {
  return note.path[0] === 'dns' || note.path.includes('eab') ? { ...note, isSecret: true } : note;
}
