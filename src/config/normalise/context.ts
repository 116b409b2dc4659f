/**
 * What reading a document needs besides its text: the folder that paths are relative to, the files
 * they name, the maps that templates may use; and where problems are put.
 */
import { isAbsolute, resolve } from 'node:path';
import { type Diagnostic, problem, warning } from '../../core/diagnostic.ts';
import type { Path } from '../document/path.ts';
import type { Provider } from '../document/providers.ts';
import type { Fault } from '../reading.ts';

/** A problem with hints for printing that other rooms need not know. */
export interface Note extends Diagnostic {
  /** The place is the key rather than its value. */
  readonly isAtKey?: boolean;
  /** The line holds something that must not be printed. */
  readonly isSecret?: boolean;
}

export interface ReportOptions {
  /** Do not repeat the value, nor print its line. */
  readonly isSecret?: boolean;
  readonly isAtKey?: boolean;
}

export interface Origin {
  readonly raw: string;
  readonly text: string;
  readonly name: string;
}

export interface ContextSources {
  readonly folder: string;
  readonly readFile: (path: string) => string;
  readonly readBytes: (path: string) => Uint8Array;
  /** The text as written for a place: before substitution, quoted; null where there is no short text. */
  readonly quote: (path: Path) => string | null;
  /** For a place that was substituted: the text as written, what it became, and the variable's name. */
  readonly originOf: (path: Path) => Origin | null;
  /** True where something was written at the place, but has been found wrong already. */
  readonly isBroken: (path: Path) => boolean;
}

export class Context {
  readonly notes: Note[] = [];
  readonly isBroken: (path: Path) => boolean;
  readonly #sources: ContextSources;
  /** Names of `maps:`. */
  maps: ReadonlySet<string> = new Set();
  providers: readonly Provider[] = [];
  readonly #texts = new Map<string, string | Error>();

  constructor(sources: ContextSources) {
    this.#sources = sources;
    this.isBroken = sources.isBroken;
  }

  /** A problem with what stands at the place: `PLACE "value" WRONG`. */
  fault(path: Path, wrong: Pick<Fault, 'wrong' | 'remedy'>, options: ReportOptions = {}): void {
    const quoted = options.isSecret === true || options.isAtKey === true ? null : this.#sources.quote(path);
    const subject = quoted === null ? placeText(path) : `${placeText(path)} ${quoted}`;
    const origin = this.#sources.originOf(path);
    const text = origin === null ? wrong.wrong : withoutValue(wrong.wrong, origin);
    const remedy = origin === null ? wrong.remedy : `check the value of "${origin.name}"`;
    this.notes.push({ ...problem(path, `${subject} ${text}`, remedy), ...options });
  }

  report(path: Path, wrong: string, remedy: string | null = null): void {
    this.fault(path, { wrong, remedy });
  }

  warn(path: Path, wrong: string, remedy: string | null = null): void {
    this.notes.push(warning(path, `${placeText(path)} ${wrong}`, remedy));
  }

  readonly resolvePath = (path: string): string => (isAbsolute(path) ? path : resolve(this.#sources.folder, path));

  /** The text of a file that the document names; null, and reported, where it cannot be read. */
  readNamedFile(name: string, at: Path): string | null {
    const path = this.resolvePath(name);
    const found = this.#texts.get(path) ?? tryRead(() => this.#sources.readFile(path));
    this.#texts.set(path, found);
    return this.#unlessFailed(found, at);
  }

  /** The same for a file that is no text. */
  readNamedBytes(name: string, at: Path): Uint8Array | null {
    const path = this.resolvePath(name);
    return this.#unlessFailed(
      tryRead(() => this.#sources.readBytes(path)),
      at,
    );
  }

  #unlessFailed<T>(found: T | Error, at: Path): T | null {
    if (!(found instanceof Error)) return found;
    this.report(at, `cannot be read: ${found.message}`, 'check the path and its permissions');
    return null;
  }
}

function tryRead<T>(read: () => T): T | Error {
  try {
    return read();
  } catch (error) {
    return new Error(reasonOf(error));
  }
}

/** A message must not give away what a variable holds, not even a part of it. */
function withoutValue(wrong: string, { raw, text }: Origin): string {
  return wrong.replaceAll(/"([^"]*)"|\d+/g, (whole, quoted: string | undefined) => {
    const piece = quoted ?? whole;
    return piece !== '' && text.includes(piece) && !raw.includes(piece) ? '"…"' : whole;
  });
}

/** "no such file" for ENOENT: the path itself stands in the message already. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is no folder',
    NOT_UTF8: 'it is not UTF-8',
    FILE_TOO_LARGE: 'it is longer than 32 MiB',
  };
  return known[code] ?? (code === '' ? 'reading failed' : code);
}

/** `hosts."code.example.com".allow[0]`. */
export function placeText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else {
      const short = step.length > 80 ? `${step.slice(0, 80)}…` : step;
      text += `${text === '' ? '' : '.'}${/^[A-Za-z_][\w-]*$/.test(short) ? short : JSON.stringify(short)}`;
    }
  }
  return text === '' ? 'The document' : text;
}

/** Entries of a list or a lone one, with their places. Entries that were found wrong already are left out. */
export function* entriesOf<T>(value: T | readonly T[] | undefined, path: Path): Generator<readonly [T, Path]> {
  if (value === undefined) return;
  if (!Array.isArray(value)) {
    yield [value as T, path];
    return;
  }
  for (const [index, item] of (value as readonly (T | undefined)[]).entries()) {
    if (item !== undefined) yield [item, [...path, index]];
  }
}
