/**
 * Loads a configuration document: YAML, substitution, shape, meaning. Collects every problem with its
 * place and a remedy and never throws on any text. Touches no file but through `readFile`.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import type { Diagnostic } from '../core/diagnostic.ts';
import { MOST_BYTES } from '../core/read-at-most.ts';
import { runAtOnce, runInTurns, type Work } from '../core/turns.ts';
import { checkShape } from './check-shape.ts';
import type { Document } from './document.ts';
import type { Path } from './document/path.ts';
import { normalise } from './normalise.ts';
import { Context, type Note, type Origin, placeText, reasonOf } from './normalise/context.ts';
import { pathKey, quoteScalar, valueAt } from './plain.ts';
import { type FindPlainOffset, placesOfPlainYaml } from './plain-places.ts';
import { mapTexts, readPlainYaml } from './plain-yaml.ts';
import { createPlaceFinder, type Place } from './positions.ts';
import { substitute } from './substitute.ts';
import { yamlNotes } from './yaml-errors.ts';
import { findOffset, parseYaml, type Plain, readTree, type TreeNote } from './yaml-tree.ts';

export interface LoadInput {
  readonly text: string;
  /** Path of the file: shown in messages, and relative paths start from its folder. */
  readonly file: string;
  readonly env: ReadonlyMap<string, string> | Readonly<Record<string, string | undefined>>;
  /** The text of a file by absolute path. Throws where it cannot be read. */
  readonly readFile: (path: string) => string;
  /** The same for files that are no text; left out: the bytes of the text. */
  readonly readBytes?: (path: string) => Uint8Array;
}

export interface PlacedDiagnostic extends Diagnostic {
  /** Null where the document has no such place. */
  readonly place: Place | null;
  /** The line holds something that must not be printed. */
  readonly isSecret: boolean;
}

/** What a substitution put in, for masking. */
export interface Secret {
  readonly path: Path;
  /** "GITHUB_CLIENT_SECRET" or "file:/run/secrets/kc". */
  readonly name: string;
  readonly value: string;
}

export interface LoadResult {
  /** Null where there is any error. */
  readonly document: Document | null;
  /** What was understood beside the errors, for further checks; never to be run. Null where the YAML itself is broken. */
  readonly draft: Document | null;
  readonly diagnostics: readonly PlacedDiagnostic[];
  readonly locate: (path: Path) => Place | null;
  readonly secrets: readonly Secret[];
  /** Absolute paths that were read: a watcher wants them too. */
  readonly readPaths: readonly string[];
}

/** From here on the full parser's time is felt; below it alone reads. */
const LARGE_TEXT = 65_536;

export function loadDocument(input: LoadInput): LoadResult {
  return runAtOnce(new Loader(input).load());
}

/** The same, but gives way to the event loop after every `turnMs` of work, as far as it can be interrupted. */
export async function loadDocumentInTurns(input: LoadInput, turnMs: number): Promise<LoadResult> {
  return runInTurns(new Loader(input).load(), turnMs);
}

class Loader {
  readonly #input: LoadInput;
  readonly #text: string;
  readonly #folder: string;
  readonly #env: (name: string) => string | undefined;
  readonly #broken = new Set<string>();
  /** What holds something broken, at any depth. */
  readonly #aboveBroken = new Set<string>();
  readonly #origins = new Map<string, Origin>();
  readonly #secrets: Secret[] = [];
  readonly #readPaths = new Set<string>();
  readonly #diagnostics: PlacedDiagnostic[] = [];
  #placeOf: ((offset: number) => Place) | null = null;
  #tree: ReturnType<typeof parseYaml> | null = null;
  /** The fast reader took the text: it finds places, too. */
  #isPlain = false;
  #plainPlaces: FindPlainOffset | null = null;

  constructor(input: LoadInput) {
    this.#input = input;
    this.#text = input.text.startsWith('\uFEFF') ? input.text.slice(1) : input.text;
    this.#folder = resolve(dirname(input.file));
    const env = input.env;
    this.#env = env instanceof Map ? (name) => env.get(name) : recordLookup(env as Record<string, string | undefined>);
  }

  *load(): Work<LoadResult> {
    const plain = this.#readYaml();
    yield;
    const draft = plain === undefined ? null : yield* this.#readMeaning(plain);
    const isFine = draft !== null && this.#diagnostics.every((one) => one.severity !== 'error');
    // The tree of a large document is large too. Whoever asks for a place later has it parsed again.
    this.#tree = null;
    this.#plainPlaces = null;
    return {
      document: isFine ? draft : null,
      draft,
      diagnostics: this.#diagnostics.sort(byPlace),
      locate: (path) => this.#locate(path, false),
      secrets: this.#secrets,
      readPaths: [...this.#readPaths],
    };
  }

  /** Plain data after substitution; undefined, and reported, where the YAML is broken. */
  #readYaml(): Plain {
    if (this.#text.length > MOST_BYTES) return this.#refuse('The document is longer than 32 MiB', null);
    try {
      const quick = this.#text.length < LARGE_TEXT ? null : readPlainYaml(this.#text);
      this.#isPlain = quick !== null;
      if (quick !== null && !this.#text.includes('${')) return quick;
      if (quick !== null) return mapTexts(quick, [], (text, path) => this.#substitute(text, path));
      this.#tree = parseYaml(this.#text);
      const notes = yamlNotes(this.#tree, this.#text);
      if (notes.length > 0) return this.#addTreeNotes(notes);
      const tree = readTree(this.#tree, (text, path) => this.#substitute(text, path));
      this.#addTreeNotes(tree.notes);
      for (const { path } of tree.notes) this.#markBroken(path);
      if (tree.plain === null) return this.#refuse('The document is empty', 'begin with "version: 1" and "hosts:"');
      return tree.plain;
    } catch (error) {
      // Deep nesting overflows the parser's stack. Nothing else is expected, and no text may end the process.
      const message = error instanceof RangeError ? 'it is nested too deeply' : `the parser failed: ${String(error)}`;
      return this.#refuse(`Cannot read YAML: ${message}`, null);
    }
  }

  *#readMeaning(plain: Plain): Work<Document | null> {
    const originOf = (path: Path): Origin | null => this.#origins.get(pathKey(path)) ?? null;
    const shapeNotes = yield* checkShape(plain, { originOf, markBroken: (path) => this.#markBroken(path) });
    this.#addNotes(shapeNotes);
    yield;
    if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) return null;
    const context = new Context({
      folder: this.#folder,
      readFile: (path) => this.#readFile(path),
      readBytes: (path) => this.#readBytes(path),
      quote: (path) => this.#quote(plain, path),
      originOf,
      isBroken: (path) => this.#isBroken(plain, path),
    });
    const document = yield* normalise(plain, context);
    this.#addNotes(context.notes);
    return document;
  }

  #substitute(text: string, path: Path): string | undefined {
    const sources = { env: this.#env, readFile: (name: string) => this.#readFile(this.#resolve(name)), reasonOf };
    const result = substitute(text, sources);
    if (!result.ok) {
      this.#addNotes([
        { severity: 'error', path: [...path], message: `${placeText(path)} ${result.wrong}`, remedy: result.remedy },
      ]);
      this.#markBroken(path);
      return undefined;
    }
    const { parts } = result.value;
    const kept = [...path];
    if (parts.length > 0) {
      this.#origins.set(pathKey(kept), {
        raw: text,
        text: result.value.text,
        name: parts.map(({ name }) => name).join('", "'),
      });
    }
    for (const { name, value } of parts) this.#secrets.push({ path: kept, name, value });
    return result.value.text;
  }

  #resolve(name: string): string {
    return isAbsolute(name) ? name : resolve(this.#folder, name);
  }

  #readFile(path: string): string {
    this.#readPaths.add(path);
    return this.#input.readFile(path);
  }

  #readBytes(path: string): Uint8Array {
    this.#readPaths.add(path);
    return this.#input.readBytes?.(path) ?? Buffer.from(this.#input.readFile(path));
  }

  #quote(plain: Plain, path: Path): string | null {
    const origin = this.#origins.get(pathKey(path));
    return quoteScalar(origin === undefined ? valueAt(plain, path) : origin.raw);
  }

  #markBroken(path: Path): void {
    this.#broken.add(pathKey(path));
    for (let length = 1; length < path.length; length++) this.#aboveBroken.add(pathKey(path.slice(0, length)));
  }

  /** True where the place, or what holds it, is gone because it was found wrong; or something in it was. */
  #isBroken(plain: Plain, path: Path): boolean {
    if (this.#broken.size === 0) return false;
    for (let length = 1; length <= path.length; length++) {
      const prefix = path.slice(0, length);
      if (this.#broken.has(pathKey(prefix)) && valueAt(plain, prefix) === undefined) return true;
    }
    return this.#aboveBroken.has(pathKey(path));
  }

  #refuse(message: string, remedy: string | null): undefined {
    this.#addTreeNotes([{ path: [], message, remedy, offset: 0 }]);
    return undefined;
  }

  #addTreeNotes(notes: readonly TreeNote[]): undefined {
    for (const { path, message, remedy, offset } of notes) {
      this.#diagnostics.push({ severity: 'error', path, message, remedy, place: this.#place(offset), isSecret: false });
    }
    return undefined;
  }

  #addNotes(notes: readonly Note[]): void {
    for (const { isAtKey = false, isSecret = false, ...diagnostic } of notes) {
      this.#diagnostics.push({ ...diagnostic, place: this.#locate(diagnostic.path, isAtKey), isSecret });
    }
  }

  #locate(path: Path, isAtKey: boolean): Place | null {
    try {
      const offset = this.#plainOffset(path, isAtKey);
      if (offset !== null) return this.#place(offset);
      this.#tree ??= parseYaml(this.#text);
      return this.#place(findOffset(this.#tree, path, isAtKey));
    } catch {
      return null;
    }
  }

  #plainOffset(path: Path, isAtKey: boolean): number | null {
    if (!this.#isPlain) return null;
    this.#plainPlaces ??= placesOfPlainYaml(this.#text);
    return this.#plainPlaces?.(path, isAtKey) ?? null;
  }

  #place(offset: number): Place {
    this.#placeOf ??= createPlaceFinder(this.#text);
    return this.#placeOf(offset);
  }
}

/** A variable called "constructor" is not found on the prototype. */
function recordLookup(env: Readonly<Record<string, string | undefined>>): (name: string) => string | undefined {
  return (name) => (Object.hasOwn(env, name) ? env[name] : undefined);
}

export function byPlace(a: PlacedDiagnostic, b: PlacedDiagnostic): number {
  return (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0);
}
